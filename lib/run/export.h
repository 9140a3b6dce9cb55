#pragma once

#include "graph/graph.h"
#include "schedule/recipe.h"

#include <cstdint>
#include <filesystem>

namespace compress::run {

/// True when the graph holds simulated quantisers.
bool is_quantized(const Graph& graph);

/// The file written.
struct ExportedFile {
  int64_t bytes = 0;  ///< with the tensors beside it
  int opset = 0;
};

/// Writes a model file and says what it is. "onnx" is floating point and refuses a quantised graph;
/// "onnx-qdq" is integers and refuses one that is not quantised.
ExportedFile export_model(const Graph& graph, const schedule::ExportConfig& config, const std::filesystem::path& path);

}  // namespace compress::run
