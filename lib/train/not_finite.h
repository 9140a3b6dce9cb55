#pragma once

#include "graph/graph.h"

namespace compress::train {

/// What is the first value of a training step that is not finite: "the input 'image'", "parameter 'conv1.weight'", "the
/// output of node 'conv2' (Conv)"; "" when all are finite. Runs the step's forward pass again, on a copy.
std::string first_not_finite(const Graph& graph, const std::vector<at::Tensor>& inputs);

}  // namespace compress::train
