#pragma once

#include "ops/quantization_grid.h"

/// Weights quantised group by group: `size` input channels of one output channel share a scale.
namespace compress::ops {

/// Where the channels of a weight are: 0 and 1 for Conv and torch-style linear layers, 1 and 0 for MatMul and
/// ConvTranspose.
struct WeightAxes {
  int64_t output = 0;
  int64_t input = 1;
};

/// The weight as [outputs, groups, rest]: in a group the `size` input channels with their kernels. A view where the
/// weight's memory allows one; keeps gradients. Throws a request error when the weight has fewer than two axes, or
/// when its input channels are not a multiple of the size.
at::Tensor in_groups(const at::Tensor& weight, WeightAxes axes, int64_t size);

/// The way back: values [outputs, groups, rest] in the shape of the weight.
at::Tensor out_of_groups(const at::Tensor& groups, const at::Tensor& weight, WeightAxes axes);

/// The grids of the groups, from their smallest and largest weight: [outputs, groups].
Grid make_group_grid(const at::Tensor& weight, WeightAxes axes, int64_t size, const GridSpec& spec);

/// fake_quantize() with a grid [outputs, groups] of make_group_grid().
at::Tensor
fake_quantize_groups(const at::Tensor& weight, const Grid& grid, WeightAxes axes, int64_t size, const GridSpec& spec);

/// A tensor [outputs, groups] of the grid as ONNX's QuantizeLinear takes it with `block_size` on the input axis (opset
/// 21): the weight's shape, with `groups` in place of its input channels.
at::Tensor group_scales_of_onnx(const at::Tensor& values, const at::Tensor& weight, WeightAxes axes);

}  // namespace compress::ops
