#pragma once

#include <ATen/core/Tensor.h>

#include <onnx/onnx_pb.h>

#include <filesystem>
#include <optional>
#include <string>

namespace compress::io {

/// ONNX's element type as LibTorch's; none when we cannot hold it (text, complex, 4 bits).
std::optional<at::ScalarType> scalar_type(int onnx_type);
/// Throws a request error when ONNX has no such type.
int onnx_type(at::ScalarType type);

/// ONNX's int4 and uint4, two to a byte in files. LibTorch computes with nothing smaller than a byte, so that a graph
/// holds them as int8 and uint8; the attribute `bits` of QuantizeLinear and DequantizeLinear remembers it. (The numbers
/// of the types: libraries older than ONNX 1.16 have no names for them.)
inline constexpr int kUInt4 = 21, kInt4 = 22;
bool is_four_bits(int onnx_type);

/// Elements of a tensor with these sizes; none when a size is negative or the product overflows 2^48.
std::optional<int64_t> element_count(at::IntArrayRef sizes);

/// A tensor of its own memory. `folder` is the model's (external data must lie in it), empty when there is none.
/// Nothing is allocated before the sizes were compared with the data present. Throws a request error that names the
/// tensor.
at::Tensor read_tensor(const onnx::TensorProto& proto, const std::filesystem::path& folder);
/// The same for a tensor of int4 or uint4, as int8 or uint8.
at::Tensor read_four_bits(const onnx::TensorProto& proto, const std::filesystem::path& folder);

/// Name, type and sizes of a tensor that is kept elsewhere; reading it as one of the model is an error that says so.
void write_tensor_elsewhere(onnx::TensorProto& proto, const std::string& name, const at::Tensor& tensor);

/// The tensor that was kept elsewhere. Throws a request error when it is not what the model expects.
at::Tensor take_tensor_elsewhere(const onnx::TensorProto& proto, const at::Tensor& tensor);

/// Name, type and sizes.
void write_tensor_header(onnx::TensorProto& proto, const std::string& name, const at::Tensor& tensor);

/// The bytes that a file holds of int8 or uint8 integers when they are written as int4 or uint4: two to a byte, the
/// first one in the lower half. Throws a request error when one does not fit.
at::Tensor packed_four_bits(const std::string& name, const at::Tensor& tensor);
/// The type in which a file has the integers of packed_four_bits().
int four_bit_type(at::ScalarType type);

/// Name, type, sizes and raw data.
void write_tensor(onnx::TensorProto& proto, const std::string& name, const at::Tensor& tensor);
/// The same as int4 or uint4.
void write_four_bits(onnx::TensorProto& proto, const std::string& name, const at::Tensor& tensor);

}  // namespace compress::io
