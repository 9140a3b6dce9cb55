#pragma once

#include "graph/graph.h"

#include <string>

namespace compress::analysis {

/// True when the indices of a parameter's axis make the channels that they belong to, so that zeros there make the
/// channels zero: the outputs of a weight, the gate rows of a recurrent layer, a bias, gamma and beta, the columns of a
/// table. False where channels are only read or scaled (a weight's inputs, slopes, running statistics).
bool makes_channels(const Graph& graph, const Parameter& parameter, int axis);

/// The axis of a weight along which its outputs (`output`) or its inputs run, by what the node does that reads it:
/// transposed convolutions and products have them the other way round. 0 and 1 for what no layer reads as its weight.
int weight_axis(const Graph& graph, const std::string& parameter, bool output);

}  // namespace compress::analysis
