#pragma once

#include "graph/graph.h"

#include <map>
#include <string>

namespace compress::train {

/// Follows an edit of the graph in tensors kept by parameter name: renames, removals, slices. Scalars are not sliced.
void follow_changes(std::map<std::string, at::Tensor>& tensors, const Changes& changes);

}  // namespace compress::train
