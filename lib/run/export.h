#pragma once

#include "graph/graph.h"
#include "schedule/recipe.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace compress::run {

/// True when the graph holds simulated quantisers.
bool is_quantized(const Graph& graph);

/// The file written.
struct ExportedFile {
  int64_t bytes = 0;  ///< with the tensors beside it
  int opset = 0;
  std::vector<std::filesystem::path> encodings = {};  ///< beside the model, one for each of ExportConfig::encodings
};

/// The file of encodings beside a model's.
std::filesystem::path encodings_file(const std::filesystem::path& model, const std::string& form);

/// Writes a model file and says what it is. "onnx" is floating point and refuses a quantised graph; the other formats
/// (quant/export_formats.h) refuse one that is not quantised. An operator or type that the opset has not is found
/// before anything is written.
ExportedFile export_model(const Graph& graph, const schedule::ExportConfig& config, const std::filesystem::path& path);

}  // namespace compress::run
