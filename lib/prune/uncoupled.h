#pragma once

#include "graph/graph.h"

#include <string>
#include <vector>

namespace compress::prune {

/// What stands in the way of thinning when weights are pruned by maps that know nothing of the graph: one line for each
/// coupled group whose channels several weights make (`filters`) or read, naming those. A depthwise filter makes no
/// channel of its own. With `together` all `names` share one map, and only groups of which a weight is missing count.
std::vector<std::string>
uncoupled_weights(const Graph& graph, const std::vector<std::string>& names, bool filters, bool together);

/// Warns of each of these lines, with what to do about it.
void warn_of_uncoupled(const std::vector<std::string>& lines);

}  // namespace compress::prune
