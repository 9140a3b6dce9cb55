#pragma once

#include "early_exit/exit_config.h"
#include "graph/graph.h"

#include <cstdint>
#include <string>
#include <vector>

namespace compress::early_exit {

/// Adds the branches of a recipe to a graph: average pooling, flatten, optionally a hidden layer, a linear classifier
/// with as many classes as `output` (a graph output; "": the first). Each becomes a further output, `exits.NAME`; its
/// weights are `exits.NAME.fc.weight`, ... and start as PyTorch's linear layers do, a function of seed and name.
///
/// An exit that the graph has already (a model of an earlier run) keeps its branch and gets loss weight and threshold
/// of the recipe. The exits are put into the order of their costs.
///
/// Throws a request error with the place in the recipe, all problems at once: a value that does not exist or is no
/// features for each sample, an existing exit of another form.
void attach(Graph& graph, const std::vector<ExitConfig>& configs, const std::string& output, uint64_t seed);

}  // namespace compress::early_exit
