#pragma once

#include "graph/graph.h"

#include <functional>
#include <vector>

namespace compress::run {

/// A copy in the form in which networks are compared layer by layer: batch-norm folded (also that of
/// quantisation-aware training), nodes without effect removed. It computes the same.
Graph comparable(const Graph& graph);

struct RandomInputs {
  int64_t samples = 256;
  int64_t batch_size = 32;
  uint64_t seed = 1;
};

/// Calls `consume` with standard normal inputs, batch by batch; a function of seed and sample. Inputs of integers are
/// all 0 or 1, so that they are indices of any table.
void for_random_inputs(const Graph& graph,
                       const RandomInputs& choice,
                       const std::function<void(const std::vector<at::Tensor>&)>& consume);

}  // namespace compress::run
