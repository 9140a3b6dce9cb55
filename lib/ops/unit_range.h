#pragma once

#include "ops/grid_method.h"

/// Grids whose range nothing decides: [-1, 1], and [0, 1] where they are unsigned. The gradient is that of clipping.
namespace compress::ops {

at::Tensor unit_range_forward(const MethodCall& call);
Settled unit_range_settle(const MethodCall& call);

/// Symmetric grids of integers with an exact scale only. Throws a request error that names the method.
void check_unit_range(const Node& node);

}  // namespace compress::ops
