#pragma once

#include "exec/batch_norm_loops.h"
#include "exec/fused_kernel.h"

namespace compress::exec {

/// An activation that limits (Relu, Clip), as the loops take it.
Clamp clamp_of(const Node& activation);

/// True for groups that start with a batch normalisation.
bool is_normalization(const Group& group);

/// Batch normalisation, addition and activation in one pass over memory, forward and backward, for float32 on the CPU
/// with channels innermost. Other tensors take the operators' own kernels one after the other.
FusedKernel normalization_kernel(const Group& group);

}  // namespace compress::exec
