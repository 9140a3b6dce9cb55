#pragma once

#include "graph/graph.h"

#include <string>
#include <vector>

namespace compress::prune {

/// The parameters that a pruner is to prune.
struct Selection {
  std::vector<std::string> names;
  std::vector<std::string> exact;  ///< those of them that were written out, not found by a pattern
};

/// By name or pattern; patterns mean all trainable parameters. An empty list is a problem.
Selection select_any(const Graph& graph, const std::vector<std::string>& words, Problems& problems);

/// By name or pattern; patterns mean the weights of convolutions and linear layers only, and no words mean all of
/// these.
Selection select_weights(const Graph& graph, const std::vector<std::string>& words, Problems& problems);

}  // namespace compress::prune
