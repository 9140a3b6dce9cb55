#pragma once

#include "io/draft.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace compress::io {

/// What nodes and parameters are called in the graph.
struct Names {
  std::vector<std::string> nodes;                 ///< one per node of the draft
  std::map<std::string, std::string> parameters;  ///< by the constant's value name
};

/// PyTorch's names: parameters keep theirs ("layer1.0.conv1.weight"), exports that lost them get them back from the
/// module path that the exporter left in the node; a node is called after its parameters ("layer1.0.conv1"), else after
/// its module or operator ("layer1.0.relu").
Names canonical_names(const Draft& draft);

/// What the value is to the node: "weight", "bias", "running_mean", "scale", ..., "constant".
std::string role_of(const DraftNode& node, size_t input);

}  // namespace compress::io
