#pragma once

#include "graph/graph.h"
#include "schedule/recipe.h"

#include <cstdint>
#include <filesystem>

namespace compress::run {

/// True when the graph holds simulated quantisers.
bool is_quantized(const Graph& graph);

/// Writes a model file and returns its size in bytes. "onnx" is floating point and refuses a quantised graph;
/// "onnx-qdq" is integers and refuses one that is not quantised.
int64_t export_model(const Graph& graph, const schedule::ExportConfig& config, const std::filesystem::path& path);

}  // namespace compress::run
