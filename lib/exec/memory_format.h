#pragma once

#include "graph/graph.h"

#include <ATen/core/Tensor.h>

namespace compress::exec {

/// True for networks with 2-D convolutions: their images are kept with the channels innermost, which LibTorch's kernels
/// prefer.
bool prefers_channels_last(const Graph& graph);

/// The same values with the channels innermost. Where one channel makes both layouts look alike, the strides say
/// channels-last too, so that kernels choose the same path for every network.
at::Tensor to_channels_last(const at::Tensor& image);

}  // namespace compress::exec
