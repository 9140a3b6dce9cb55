#pragma once

#include "exec/fused_kernel.h"

namespace compress::exec {

/// True when LibTorch's fused convolution can run this node: 2-D, known float32 weights on the CPU, equal padding on
/// both sides.
bool can_pack_convolution(const Node& node, const Constants& constants);

/// Evaluation: batch normalisation folded into the weights, weights packed for oneDNN, addition and activation done
/// while the result is still in registers. Uses mkldnn::_convolution_pointwise, which only LibTorch's dispatcher
/// offers.
FusedKernel convolution_kernel(const Group& group, const Constants& constants);

}  // namespace compress::exec
