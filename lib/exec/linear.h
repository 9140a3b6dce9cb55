#pragma once

#include "exec/fused_kernel.h"

namespace compress::exec {

/// True for linear layers in canonical form (weight [out, in], bias [out]) with known float32 weights on the CPU.
bool can_pack_linear(const Node& node, const Constants& constants);

/// Evaluation: weights packed for oneDNN (twice as fast as LibTorch's default product where measured), batch
/// normalisation folded, activation melted in. Uses mkldnn::_linear_pointwise, which only LibTorch's dispatcher offers.
FusedKernel linear_kernel(const Group& group, const Constants& constants);

}  // namespace compress::exec
