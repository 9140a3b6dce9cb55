#pragma once

#include "ops/quantization_grid.h"

/// Rounding to a grid: integers in one pass over memory where its layout allows that.
namespace compress::ops {

/// A value counts as clipped when it lies more than half a step beyond the last integer. A hundredth more, because the
/// largest weight on a symmetric grid of the full range lies exactly there, give or take the division's rounding, and
/// must keep its gradient.
inline constexpr float kGridReach = 0.51F;

struct Rounded {
  at::Tensor values;
  at::Tensor inside;  ///< where nothing was clipped; undefined when not asked for
};

/// The nearest values of a grid, and on request which elements lie inside its range, where half a step beyond the last
/// number still counts as inside. No gradient.
Rounded rounded(const at::Tensor& x, const Grid& grid, const GridSpec& spec, GridAxes axes, bool want_inside);

}  // namespace compress::ops
