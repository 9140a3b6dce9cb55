#pragma once

#include "graph/graph.h"

#include <string>
#include <string_view>

namespace compress {

/// The text form of a graph, one node a line; used by `summary --what model`, golden tests and patterns:
///
///     graph lenet5(input: float[N,1,28,28]) -> (output = fc2)
///     parameter conv1.weight: float[20,1,5,5]
///     parameter bn1.running_mean: float[20] fixed
///     conv1 = Conv(input, %conv1.weight, %conv1.bias) kernel_shape=[5,5]
///     a, a:1 = Split(x) axis=1
std::string print_graph(const Graph& graph);

/// Reads the text form. Tensors are not part of it: parameters are filled with zeros. Throws a request error with line
/// and column.
Graph parse_graph(std::string_view text, const std::string& file = "<graph>");

}  // namespace compress
