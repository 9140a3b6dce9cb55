#pragma once

#include "ops/op.h"

namespace compress::ops {

/// How a quantiser treats this node: Op::quantization, but same_grid where the attributes say that an operator merely
/// picks numbers (Resize to the nearest neighbour).
Quantization quantization_role(const Node& node);

}  // namespace compress::ops
