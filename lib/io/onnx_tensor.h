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

/// Elements of a tensor with these sizes; none when a size is negative or the product overflows 2^48.
std::optional<int64_t> element_count(at::IntArrayRef sizes);

/// A tensor of its own memory. `folder` is the model's (external data must lie in it), empty when there is none.
/// Nothing is allocated before the sizes were compared with the data present. Throws a request error that names the
/// tensor.
at::Tensor read_tensor(const onnx::TensorProto& proto, const std::filesystem::path& folder);

/// Name, type and sizes of a tensor that is kept elsewhere; reading it as one of the model is an error that says so.
void write_tensor_elsewhere(onnx::TensorProto& proto, const std::string& name, const at::Tensor& tensor);

/// The tensor that was kept elsewhere. Throws a request error when it is not what the model expects.
at::Tensor take_tensor_elsewhere(const onnx::TensorProto& proto, const at::Tensor& tensor);

/// Name, type and sizes.
void write_tensor_header(onnx::TensorProto& proto, const std::string& name, const at::Tensor& tensor);

/// Name, type, sizes and raw data.
void write_tensor(onnx::TensorProto& proto, const std::string& name, const at::Tensor& tensor);

}  // namespace compress::io
