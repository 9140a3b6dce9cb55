#pragma once

#include "ops/op.h"

namespace compress::ops {

/// How a quantiser treats this node: Op::quantization, but same_grid where the attributes say that an operator merely
/// picks numbers (Resize to the nearest neighbour).
Quantization quantization_role(const Node& node);

/// The first of the node's inputs that are numbers of a grid (scale, zero point, ...), to the last one; how many inputs
/// it has when there is none.
size_t first_grid_input(const Node& node);

}  // namespace compress::ops
