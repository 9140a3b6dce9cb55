#pragma once

#include "graph/graph.h"
#include "prune/amount.h"

#include <map>
#include <string>

namespace compress::prune {

/// The graph without the numbers of its parameters (tensors of the meta device), for edits whose cost alone is asked
/// for.
Graph without_numbers(const Graph& graph);

/// MACs, learned parameters and their bytes of a graph as it stands, zeros counted like all others. `sparsity` is 0.
Measured measure_dense(const Graph& graph);

/// The same of what is not zero once the masks (by parameter, of the parameters' shapes) are applied, as if zeros cost
/// nothing. `sparsity` is the share of zeros in the masks.
Measured measure_masked(const Graph& graph, const std::map<std::string, at::Tensor>& masks);

}  // namespace compress::prune
