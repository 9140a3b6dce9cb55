#pragma once

#include "exec/fused_kernel.h"

namespace compress::exec {

/// A training step of addition, ReLU and quantiser in two passes over memory: sum and extremes, then rounding, which
/// notes a byte for each element where the gradient passes. For float32 on the CPU; other tensors take the operators'
/// own kernels.
FusedKernel rounded_addition_kernel(const Group& group);

}  // namespace compress::exec
