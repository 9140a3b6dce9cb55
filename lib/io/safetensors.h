#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace compress::io {

/// Named tensors in the safetensors format (https://huggingface.co/docs/safetensors): a JSON header, then the raw data.
struct TensorFile {
  std::map<std::string, at::Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Throws a request error for anything that is not exactly such a file: cut, offsets that overlap or leave holes,
/// unknown types.
TensorFile parse_safetensors(std::string_view bytes, const std::string& name);
TensorFile read_safetensors(const std::filesystem::path& path);

std::string safetensors_bytes(const TensorFile& file);
/// Writes the whole file or nothing.
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);

}  // namespace compress::io
