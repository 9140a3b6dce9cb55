#include "io/onnx_tensor.h"

#include "core/error.h"
#include "core/text.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/bitwise_or.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <utility>

namespace compress::io {
namespace {

using onnx::TensorProto;

/// The key of external data that says that a checkpoint keeps the tensor beside the model.
constexpr const char* kElsewhere = "compress.elsewhere";

constexpr int kFloat8E4M3FN = 17, kFloat8E5M2 = 19;  // TensorProto of ONNX 1.14

constexpr std::array<std::pair<int, at::ScalarType>, 15> kTypes{{
    {TensorProto::FLOAT, at::kFloat},
    {TensorProto::UINT8, at::kByte},
    {TensorProto::INT8, at::kChar},
    {TensorProto::UINT16, at::kUInt16},
    {TensorProto::INT16, at::kShort},
    {TensorProto::UINT32, at::kUInt32},
    {TensorProto::INT32, at::kInt},
    {TensorProto::UINT64, at::kUInt64},
    {TensorProto::INT64, at::kLong},
    {TensorProto::BOOL, at::kBool},
    {TensorProto::FLOAT16, at::kHalf},
    {TensorProto::DOUBLE, at::kDouble},
    {TensorProto::BFLOAT16, at::kBFloat16},
    {kFloat8E4M3FN, at::kFloat8_e4m3fn},
    {kFloat8E5M2, at::kFloat8_e5m2},
}};

Error wrong_size(const TensorProto& proto, int64_t present, int64_t expected, const char* unit) {
  const std::vector<int64_t> sizes(proto.dims().begin(), proto.dims().end());
  return request_error("tensor '{}' has {} {} of data, its shape {} needs {}", proto.name(), present, unit,
                       shape_text(sizes), expected)
      .hint("the file is damaged; export the model again");
}

at::Tensor from_bytes(const TensorProto& proto, at::IntArrayRef sizes, at::ScalarType type, std::string_view bytes) {
  const auto expected = *element_count(sizes) * static_cast<int64_t>(c10::elementSize(type));
  if (static_cast<int64_t>(bytes.size()) != expected)
    throw wrong_size(proto, static_cast<int64_t>(bytes.size()), expected, "bytes");
  auto tensor = at::empty(sizes, at::TensorOptions(type));
  if (!bytes.empty()) std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
  return type == at::kBool ? tensor.view(at::kByte).ne(0) : tensor;
}

/// Typed data fields hold small types widened; each element is narrowed to the tensor's.
template <class Stored, class Field>
at::Tensor narrowed(const TensorProto& proto, at::IntArrayRef sizes, at::ScalarType type, const Field& field) {
  const auto expected = *element_count(sizes);
  if (field.size() != expected) throw wrong_size(proto, field.size(), expected, "elements");
  auto tensor = at::empty(sizes, at::TensorOptions(type));
  auto* data = static_cast<Stored*>(tensor.data_ptr());
  for (int64_t i = 0; i < expected; ++i) data[i] = static_cast<Stored>(field.Get(static_cast<int>(i)));
  return type == at::kBool ? tensor.view(at::kByte).ne(0) : tensor;
}

at::Tensor from_fields(const TensorProto& proto, at::IntArrayRef sizes, at::ScalarType type) {
  switch (type) {
  case at::kFloat: return narrowed<float>(proto, sizes, type, proto.float_data());
  case at::kDouble: return narrowed<double>(proto, sizes, type, proto.double_data());
  case at::kLong: return narrowed<int64_t>(proto, sizes, type, proto.int64_data());
  case at::kUInt32: return narrowed<uint32_t>(proto, sizes, type, proto.uint64_data());
  case at::kUInt64: return narrowed<uint64_t>(proto, sizes, type, proto.uint64_data());
  case at::kInt: return narrowed<int32_t>(proto, sizes, type, proto.int32_data());
  case at::kShort:
  case at::kUInt16:
  case at::kHalf:
  case at::kBFloat16: return narrowed<uint16_t>(proto, sizes, type, proto.int32_data());
  default: return narrowed<uint8_t>(proto, sizes, type, proto.int32_data());
  }
}

int64_t external_number(const TensorProto& proto, const std::string& text) {
  int64_t number = -1;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || number < 0)
    throw request_error("tensor '{}': '{}' is no offset or length of external data", proto.name(), text);
  return number;
}

std::filesystem::path
external_file(const TensorProto& proto, const std::filesystem::path& folder, const std::string& location) {
  namespace fs = std::filesystem;
  if (folder.empty())
    throw request_error("tensor '{}' has its data in another file ('{}'), which cannot be read from memory",
                        proto.name(), location);
  std::error_code failure;
  const auto root = fs::weakly_canonical(folder, failure);
  const auto file = fs::weakly_canonical(folder / location, failure);
  const auto inside = file.lexically_relative(root);
  if (failure || location.empty() || fs::path(location).is_absolute() || inside.empty() || *inside.begin() == "..")
    throw request_error("tensor '{}' has its data in '{}', which is outside the model's folder", proto.name(), location)
        .hint("external data must lie beside the model");
  if (!fs::is_regular_file(file, failure))
    throw request_error("tensor '{}' has its data in '{}', which does not exist", proto.name(), file.string())
        .hint("copy it beside the model, under the name it had at export");
  return file;
}

at::Tensor from_external(const TensorProto& proto,
                         at::IntArrayRef sizes,
                         at::ScalarType type,
                         const std::filesystem::path& folder) {
  std::string location;
  int64_t offset = 0, length = -1;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == kElsewhere)
      throw request_error("tensor '{}' is kept packed in the checkpoint, not in this file", proto.name())
          .hint("open the folder of the run, or export the model");
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = external_number(proto, entry.value());
    if (entry.key() == "length") length = external_number(proto, entry.value());
  }
  const auto file = external_file(proto, folder, location);
  const auto expected = *element_count(sizes) * static_cast<int64_t>(c10::elementSize(type));
  const auto present = static_cast<int64_t>(std::filesystem::file_size(file));
  if (length < 0) length = expected;
  if (length != expected) throw wrong_size(proto, length, expected, "bytes");
  if (offset > present || length > present - offset)
    throw request_error("tensor '{}' lies at bytes {} to {} of '{}', which has only {}", proto.name(), offset,
                        offset + length, file.string(), present)
        .hint("the file is cut; copy it again");
  auto tensor = at::empty(sizes, at::TensorOptions(type));
  std::ifstream stream(file, std::ios::binary);
  if (!stream.seekg(offset) || (length > 0 && !stream.read(static_cast<char*>(tensor.data_ptr()), length)))
    throw request_error("cannot read '{}'", file.string());
  return type == at::kBool ? tensor.view(at::kByte).ne(0) : tensor;
}

}  // namespace

std::optional<at::ScalarType> scalar_type(int onnx_type) {
  for (const auto& [onnx, ours] : kTypes)
    if (onnx == onnx_type) return ours;
  return std::nullopt;
}

int onnx_type(at::ScalarType type) {
  for (const auto& [onnx, ours] : kTypes)
    if (ours == type) return onnx;
  throw request_error("ONNX has no element type '{}'", c10::toString(type));
}

std::optional<int64_t> element_count(at::IntArrayRef sizes) {
  int64_t count = 1;
  bool empty = false;
  for (const auto size : sizes) {
    if (size < 0 || __builtin_mul_overflow(count, size == 0 ? 1 : size, &count) || count > (int64_t{1} << 48))
      return std::nullopt;
    empty |= size == 0;
  }
  return empty ? 0 : count;
}

bool is_four_bits(int onnx_type) {
  return onnx_type == kUInt4 || onnx_type == kInt4;
}

int four_bit_type(at::ScalarType type) {
  return type == at::kByte ? kUInt4 : kInt4;
}

namespace {

at::Tensor
read_data(const TensorProto& proto, at::IntArrayRef sizes, at::ScalarType type, const std::filesystem::path& folder) {
  if (proto.has_segment())
    throw request_error("tensor '{}' is stored in segments, which is not supported", proto.name());
  if (proto.data_location() == TensorProto::EXTERNAL) return from_external(proto, sizes, type, folder);
  if (proto.has_raw_data()) return from_bytes(proto, sizes, type, proto.raw_data());
  return from_fields(proto, sizes, type);
}

int64_t checked_count(const TensorProto& proto, at::IntArrayRef sizes) {
  const auto count = element_count(sizes);
  if (!count) throw request_error("tensor '{}' has the impossible shape {}", proto.name(), shape_text(sizes));
  return *count;
}

}  // namespace

at::Tensor read_four_bits(const TensorProto& proto, const std::filesystem::path& folder) {
  const std::vector<int64_t> sizes(proto.dims().begin(), proto.dims().end());
  const auto count = checked_count(proto, sizes);
  const auto bytes = read_data(proto, {(count + 1) / 2}, at::kByte, folder);
  auto codes = at::stack({bytes.bitwise_and(15), bytes.bitwise_right_shift(4)}, 1).flatten().narrow(0, 0, count);
  if (proto.data_type() == kInt4) codes = codes.bitwise_xor(8).to(at::kChar).sub(8);
  return codes.reshape(sizes).contiguous();
}

at::Tensor read_tensor(const TensorProto& proto, const std::filesystem::path& folder) {
  const std::vector<int64_t> sizes(proto.dims().begin(), proto.dims().end());
  const auto type = scalar_type(proto.data_type());
  if (is_four_bits(proto.data_type()))
    throw request_error("tensor '{}' holds integers of 4 bits, which is not supported here", proto.name())
        .hint("they may be initialisers that QuantizeLinear and DequantizeLinear read");
  if (!type)
    throw request_error(
        "tensor '{}' has element type {}, which is not supported", proto.name(),
        onnx::TensorProto_DataType_IsValid(proto.data_type())
            ? onnx::TensorProto_DataType_Name(static_cast<onnx::TensorProto_DataType>(proto.data_type()))
            : std::to_string(proto.data_type()));
  checked_count(proto, sizes);
  return read_data(proto, sizes, *type, folder);
}

void write_tensor_header(TensorProto& proto, const std::string& name, const at::Tensor& tensor) {
  proto.set_name(name);
  proto.set_data_type(onnx_type(tensor.scalar_type()));
  for (const auto size : tensor.sizes()) proto.add_dims(size);
}

void write_tensor_elsewhere(TensorProto& proto, const std::string& name, const at::Tensor& tensor) {
  write_tensor_header(proto, name, tensor);
  proto.set_data_location(TensorProto::EXTERNAL);
  auto& entry = *proto.add_external_data();
  entry.set_key(kElsewhere);
  entry.set_value("packed");
}

at::Tensor take_tensor_elsewhere(const TensorProto& proto, const at::Tensor& tensor) {
  const std::vector<int64_t> sizes(proto.dims().begin(), proto.dims().end());
  if (tensor.sizes() != at::IntArrayRef(sizes) || scalar_type(proto.data_type()) != tensor.scalar_type())
    throw request_error("tensor '{}' is kept elsewhere with shape {} and type {}, which are not the model's",
                        proto.name(), shape_text(tensor.sizes()), c10::toString(tensor.scalar_type()))
        .hint("the files do not belong together; use another checkpoint");
  return tensor;
}

void write_tensor(TensorProto& proto, const std::string& name, const at::Tensor& tensor) {
  const auto plain = tensor.detach().to(at::kCPU).contiguous();
  write_tensor_header(proto, name, plain);
  proto.set_raw_data(plain.const_data_ptr(), plain.nbytes());
}

at::Tensor packed_four_bits(const std::string& name, const at::Tensor& tensor) {
  const auto codes = tensor.detach().to(at::kCPU).to(at::kShort).flatten();
  const auto low = tensor.scalar_type() == at::kByte ? 0 : -8;
  if (codes.lt(low).logical_or(codes.gt(low + 15)).any().item<bool>())
    throw request_error("'{}' holds integers that 4 bits cannot hold", name);
  const auto halves = at::constant_pad_nd(codes.bitwise_and(15), {0, codes.numel() % 2}).reshape({-1, 2});
  return halves.select(1, 0).bitwise_or(halves.select(1, 1).bitwise_left_shift(4)).to(at::kByte).contiguous();
}

void write_four_bits(TensorProto& proto, const std::string& name, const at::Tensor& tensor) {
  const auto bytes = packed_four_bits(name, tensor);
  write_tensor_header(proto, name, tensor);
  proto.set_data_type(four_bit_type(tensor.scalar_type()));
  proto.set_raw_data(bytes.const_data_ptr(), bytes.nbytes());
}

}  // namespace compress::io
