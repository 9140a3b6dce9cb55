#pragma once

#include "exec/fused_kernel.h"

namespace compress::exec {

/// True for groups that start with a ConvBatchNormalization whose training convolves once.
bool is_folded_convolution(const Group& group);

/// A training step of layer, batch-norm, addition or quantiser, and activation: the convolution, then everything behind
/// it in one pass over memory, forward and backward (exec/batch_norm_function.h). Tensors that have no such loops take
/// the operators' own kernels one after the other.
FusedKernel folded_convolution_kernel(const Group& group);

}  // namespace compress::exec
