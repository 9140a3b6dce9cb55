#pragma once

#include "graph/graph.h"

/// What the operators that sum over input channels (Conv, ConvTranspose, ConvBatchNormalization, Gemm, MatMul) have in
/// common for thinning.
namespace compress::passes {

/// A node that computes W x plus something that does not depend on x. `weight` is an input of it.
bool is_linear_layer(const Node& node);

/// W x alone, without bias and batch-norm.
at::Tensor linear_part(const Node& node, const at::Tensor& x, const at::Tensor& weight);

/// The axis of the input and output value along which channels run.
size_t channel_axis(const Node& node, size_t rank);

/// Which outputs read which inputs: bool [inputs, outputs], contiguous; false where the weight is exactly zero.
at::Tensor reads(const Node& node, int64_t inputs, const at::Tensor& weight);

}  // namespace compress::passes
