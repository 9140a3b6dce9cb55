#pragma once

#include "ops/quantization_grid.h"

/// Weights quantised group by group: `group_size` input channels of one output channel share a scale. Axes are 0 and 1
/// for Conv and linear layers, 1 and 0 for MatMul and ConvTranspose.
namespace compress::ops {

/// Throws a request error when a weight has fewer than two axes, or when its input channels are not a multiple of the
/// size of a group.
void check_groups(const Shape& weight, GridAxes axes);

/// The weight as [outputs, groups, rest]: in a group its input channels with their kernels. A view where the weight's
/// memory allows one; keeps gradients. Throws as check_groups().
at::Tensor in_groups(const at::Tensor& weight, GridAxes axes);

/// A tensor [outputs, groups] of the grid as ONNX's QuantizeLinear takes it with `block_size` on the input axis (opset
/// 21): the weight's shape, with `groups` in place of its input channels.
at::Tensor group_scales_of_onnx(const at::Tensor& values, const at::Tensor& weight, GridAxes axes);

}  // namespace compress::ops
