#pragma once

#include "graph/graph.h"

#include <filesystem>

namespace compress::run {

/// How far the names and shapes of a weights file must be those of the network.
enum class Match {
  strict,  ///< every parameter is in the file with its shape, and nothing else
  by_name  ///< what fits by name and shape is taken, at least one; the rest is warned of
};

/// Copies tensors from a safetensors or ONNX file, a checkpoint or a run directory (no masks, no optimiser) into the
/// parameters of the same name. A leading `module.` (PyTorch's DataParallel) is dropped and batch-norm's
/// `num_batches_tracked` left out. Throws a request error that lists what differs, with the nearest names, or that
/// names a tensor with values that are no numbers.
void load_weights(Graph& graph, const std::filesystem::path& file, Match match);

}  // namespace compress::run
