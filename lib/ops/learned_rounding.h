#pragma once

#include "ops/grid_method.h"

/// Rounding to a grid that learns: gradients for scale and zero point beside that of the value.
namespace compress::ops {

/// The values of `target`, to the bit, with the gradient of `source`.
at::Tensor straight_through(const at::Tensor& target, const at::Tensor& source);

/// The values of `source`, its gradient multiplied by a factor.
at::Tensor with_gradient_scale(const at::Tensor& source, double factor);

/// A learned scale, or what takes its place, as it is used: at least 1e-8, and a power of two where the grid wants
/// that; the gradient of the parameter as it is, so that it can come back.
at::Tensor usable_scale(const at::Tensor& parameter, const GridSpec& spec);

/// The integer of the grid nearest to a zero point; no gradient.
at::Tensor nearest_zero_point(const at::Tensor& exact, const GridSpec& spec);

/// What LSQ multiplies the gradients of a grid's parameters by: 1 / sqrt(N * high), N the numbers that share a scale;
/// with attribute `batched`, those of a single sample (Esser et al. 2019, section 2.2).
double step_gradient_factor(const MethodCall& call);

/// fake_quantize() with gradients for the grid. With q the clipped integer and `inside` where x / scale + zero point
/// lies in [low - reach, high + reach]:
///
///     d/dx = inside,   d/dscale = (q - zero_point) - inside * x / scale,   d/dzero_point = -(1 - inside) * scale
///
/// summed over what shares a scale. LSQ (Esser et al. 2019, equation 3), LSQ+ (Bhalgat et al. 2020, equations 4 and 5)
/// and AIMET's range learning are this, with scale and zero point as functions of their parameters.
at::Tensor learned_rounding(const at::Tensor& x, const Grid& grid, const GridSpec& spec, GridAxes axes, double reach);

/// The spec's grid of integers must be one; formats in floating point have nothing to learn here. Throws a request
/// error that names the method.
void check_learned(const Node& node);

}  // namespace compress::ops
