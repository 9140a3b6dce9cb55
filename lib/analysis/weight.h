#pragma once

#include "graph/graph.h"

namespace compress::analysis {

/// The parameter behind an input of a node, looking through quantisers; null when there is none.
const Parameter* parameter_behind(const Graph& graph, const std::string& input);

/// The weight of a convolutional or linear layer, looking through quantisers; null for other nodes.
const Parameter* weight_of(const Graph& graph, const Node& node);

}  // namespace compress::analysis
