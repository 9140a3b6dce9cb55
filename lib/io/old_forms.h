#pragma once

#include "io/convert_node.h"

#include <span>
#include <vector>

namespace compress::io {

/// What a node of an old opset means, as nodes of today: a Softmax over several axes becomes Flatten, Softmax and
/// Reshape, per-group scales of GroupNormalization become per-channel ones, Scatter is ScatterElements; CastLike is
/// a Cast. Empty when the node's form is still the same.
std::vector<DraftNode> modern_nodes(const DraftNode& node, std::span<const Known> inputs);

}  // namespace compress::io
