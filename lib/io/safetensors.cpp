#include "io/safetensors.h"

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "io/blame.h"
#include "io/onnx_tensor.h"

#include <ATen/ops/empty.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace compress::io {
namespace {

using Json = nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr const char* kMetadata = "__metadata__";

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 14> kTensorTypes{{{"BOOL", at::kBool},
                                                                                    {"U8", at::kByte},
                                                                                    {"I8", at::kChar},
                                                                                    {"U16", at::kUInt16},
                                                                                    {"I16", at::kShort},
                                                                                    {"U32", at::kUInt32},
                                                                                    {"I32", at::kInt},
                                                                                    {"I64", at::kLong},
                                                                                    {"F8_E4M3", at::kFloat8_e4m3fn},
                                                                                    {"F8_E5M2", at::kFloat8_e5m2},
                                                                                    {"F16", at::kHalf},
                                                                                    {"BF16", at::kBFloat16},
                                                                                    {"F32", at::kFloat},
                                                                                    {"F64", at::kDouble}}};

at::ScalarType type_called(std::string_view word, const std::string& tensor) {
  for (const auto& [name, type] : kTensorTypes)
    if (name == word) return type;
  throw request_error("tensor '{}' has type '{}', which is not supported", tensor, word);
}

std::string_view word_for(at::ScalarType type, const std::string& tensor) {
  for (const auto& [name, known] : kTensorTypes)
    if (known == type) return name;
  throw request_error("tensor '{}' has type '{}', which safetensors files cannot hold", tensor, c10::toString(type));
}

Json read_header(std::string_view bytes) {
  if (bytes.size() < kLengthBytes)
    throw request_error("this is no safetensors file: it has only {} bytes", bytes.size());
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > bytes.size() - kLengthBytes)
    throw request_error("this is no safetensors file, or it is cut off: the header has {} bytes, the file {}", length,
                        bytes.size());
  auto header = Json::parse(bytes.substr(kLengthBytes, length), nullptr, false);
  if (!header.is_object())
    throw request_error("the header of this safetensors file is no JSON object")
        .hint("the file is damaged; copy it again");
  return header;
}

struct TensorPlace {
  std::string name;
  at::ScalarType type;
  std::vector<int64_t> sizes;
  uint64_t begin, end;
};

/// Whole numbers that are not negative; nothing else may stand in shapes and offsets.
std::vector<int64_t> counts(const Json& entry, const char* key, const std::string& tensor) {
  const auto found = entry.find(key);
  const auto is_count = [](const Json& value) {
    return value.is_number_unsigned() && value.get<uint64_t>() <= (uint64_t{1} << 62);
  };
  if (found == entry.end() || !found->is_array() || !std::ranges::all_of(*found, is_count))
    throw request_error("tensor '{}': '{}' must be a list of whole numbers", tensor, key);
  return found->get<std::vector<int64_t>>();
}

TensorPlace read_place(const std::string& name, const Json& entry) {
  const auto type = entry.is_object() ? entry.find("dtype") : entry.end();
  if (!entry.is_object() || type == entry.end() || !type->is_string())
    throw request_error("tensor '{}' has no 'dtype'", name);
  const auto offsets = counts(entry, "data_offsets", name);
  TensorPlace place{name, type_called(type->get<std::string>(), name), counts(entry, "shape", name), 0, 0};
  if (offsets.size() != 2 || offsets[0] > offsets[1])
    throw request_error("tensor '{}': 'data_offsets' must be begin and end", name);
  place.begin = static_cast<uint64_t>(offsets[0]);
  place.end = static_cast<uint64_t>(offsets[1]);
  const auto count = element_count(place.sizes);
  if (!count || *count * static_cast<int64_t>(c10::elementSize(place.type)) != offsets[1] - offsets[0])
    throw request_error("tensor '{}' has {} bytes of data, which do not fit its shape {}", name,
                        offsets[1] - offsets[0], shape_text(place.sizes));
  return place;
}

/// The tensors must fill the data from end to end.
void check_layout(std::vector<TensorPlace>& places, uint64_t size) {
  std::ranges::sort(places, {}, [](const TensorPlace& place) { return std::pair(place.begin, place.end); });
  uint64_t end = 0;
  for (const auto& place : places) {
    if (place.begin != end)
      throw request_error("tensor '{}' begins at byte {} of the data instead of {}", place.name, place.begin, end);
    end = place.end;
  }
  if (end != size)
    throw request_error("the tensors need {} bytes of data, the file has {}", end, size)
        .hint("the file is cut off or damaged; copy it again");
}

at::Tensor take_tensor(const TensorPlace& place, std::string_view data) {
  auto tensor = at::empty(place.sizes, at::TensorOptions(place.type));
  if (place.end > place.begin) std::memcpy(tensor.data_ptr(), data.data() + place.begin, place.end - place.begin);
  return place.type == at::kBool ? tensor.view(at::kByte).ne(0) : tensor;
}

TensorFile parse(std::string_view bytes) {
  const auto header = read_header(bytes);
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  const auto data = bytes.substr(kLengthBytes + length);
  TensorFile file;
  std::vector<TensorPlace> places;
  for (const auto& [name, entry] : header.items()) {
    if (name != kMetadata) {
      places.push_back(read_place(name, entry));
      continue;
    }
    if (!entry.is_object()) throw request_error("'{}' must be a map", kMetadata);
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) throw request_error("'{}': '{}' must be text", kMetadata, key);
      file.metadata[key] = value.get<std::string>();
    }
  }
  check_layout(places, data.size());
  for (const auto& place : places) file.tensors[place.name] = take_tensor(place, data);
  return file;
}

}  // namespace

TensorFile parse_safetensors(std::string_view bytes, const std::string& name) {
  return blame_file(name, [&] { return parse(bytes); });
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const auto bytes = read_file(path);
  return parse_safetensors(bytes, path.string());
}

std::string safetensors_bytes(const TensorFile& file) {
  auto header = Json::object();
  if (!file.metadata.empty()) header[kMetadata] = file.metadata;
  std::string data;
  for (const auto& [name, tensor] : file.tensors) {
    const auto plain = tensor.detach().to(at::kCPU).contiguous();
    const auto begin = data.size();
    data.append(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes());
    header[name] = {{"dtype", word_for(plain.scalar_type(), name)},
                    {"shape", plain.sizes().vec()},
                    {"data_offsets", {begin, data.size()}}};
  }
  auto text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), kLengthBytes);
  return bytes + text + data;
}

void write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  write_file(path, safetensors_bytes(file));
}

}  // namespace compress::io
