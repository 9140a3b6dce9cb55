#pragma once

#include "graph/graph.h"

#include <string>
#include <vector>

namespace compress::schedule {

/// Refuses convolution weights that are not followed by exactly one batch-norm. Weights of other layers may stay as
/// they are.
void require_batch_norms(const Graph& graph, const std::vector<std::string>& weights, Problems& problems);

/// A clone in which the named convolution weights are those of the network with batch-norm folded: w * gamma /
/// sqrt(running_var + epsilon). It is for ranking, not for running: the batch-norms stay.
Graph with_folded_weights(const Graph& graph, const std::vector<std::string>& weights);

}  // namespace compress::schedule
