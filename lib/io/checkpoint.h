#pragma once

#include "graph/graph.h"

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <string>

namespace compress::io {

/// Everything a run needs to go on: a folder with graph.onnx (parameters too), tensors.safetensors (masks as
/// "mask/NAME", optimiser, averages) and state.json (anything else, and the checksums of the other files). Tensors that
/// are mostly zeros are packed (zero_packing.h), those of the graph as "parameter/NAME" beside the others. Loading
/// needs no code of the architecture.
struct Checkpoint {
  Graph graph;
  std::map<std::string, at::Tensor> tensors;  ///< no "mask/", "parameter/", "packed/" in front
  nlohmann::json state;                       ///< numbers must be finite
};

/// Writes the folder beside and exchanges it with the old one: whenever the process or the machine stops, the old or
/// the new one is there, whole. Throws a run error when it cannot be written.
void save_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint);

/// Throws a request error that names the file that is missing, cut or damaged.
Checkpoint load_checkpoint(const std::filesystem::path& folder);

}  // namespace compress::io
