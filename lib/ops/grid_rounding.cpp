#include "ops/grid_rounding.h"

#include "ops/grid_format.h"
#include "ops/parallel.h"
#include "ops/rounding.h"
#include "ops/vectorised.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>

namespace compress::ops {

namespace {

Rounded
rounded_by_tensors(const at::Tensor& x, const Grid& grid, const GridSpec& spec, GridAxes axes, bool want_inside) {
  // Single precision cannot hold the integers of biases and accumulators.
  const auto type = spec.bits > 16 ? at::kDouble : x.scalar_type();
  const auto scale = along_axes(grid.scale, axes, x);
  const auto zero_point = along_axes(grid.zero_point, axes, x).to(type);
  auto q = x.to(type).div(scale.to(type));
  at::Tensor inside;
  if (want_inside) {
    const auto exact = q.add(zero_point);
    inside = exact.ge(static_cast<double>(spec.low()) - kGridReach)
                 .logical_and_(exact.le(static_cast<double>(spec.high()) + kGridReach));
  }
  q.round_().add_(zero_point);
  return {q.clamp_(spec.low(), spec.high()).sub_(zero_point).to(x.scalar_type()).mul_(scale), inside};
}

COMPRESS_VECTORISED
void round_all(const float* x, float* __restrict y, int64_t count, Rounding rounding) {
  for (int64_t i = 0; i < count; ++i) y[i] = nearest(x[i], rounding);
}

COMPRESS_VECTORISED
void note_inside(const float* x, bool* __restrict inside, int64_t count, Rounding rounding) {
  const float low = rounding.low - kGridReach, high = rounding.high + kGridReach;
  for (int64_t i = 0; i < count; ++i) {
    const float exact = x[i] / rounding.scale;
    inside[i] = static_cast<int>(exact >= low) & static_cast<int>(exact <= high);
  }
}

/// How many elements in memory order share a scale, the scales following each other in their own order; 0: they do not.
int64_t stretch_length(const at::Tensor& x, GridAxes axes) {
  if (!x.is_cpu() || x.scalar_type() != at::kFloat || !x.is_non_overlapping_and_dense() || x.numel() == 0) return 0;
  if (axes.axis < 0) return x.numel();
  const auto length = x.numel() / x.size(axes.axis);
  if (axes.axis != 0 || x.stride(0) != length) return 0;
  if (axes.group_size == 0) return length;
  const auto channel = length / x.size(1);
  return axes.input_axis == 1 && x.stride(1) == channel ? axes.group_size * channel : 0;
}

Rounded
rounded_in_one_pass(const at::Tensor& x, const Grid& grid, const GridSpec& spec, int64_t length, bool want_inside) {
  constexpr int64_t kGrain = 16384;
  const auto scale = grid.scale.to(at::kFloat).contiguous(), zero_point = grid.zero_point.to(at::kFloat).contiguous();
  const auto *scales = scale.const_data_ptr<float>(), *zero_points = zero_point.const_data_ptr<float>();
  Rounded result{at::empty_like(x), want_inside ? at::empty_like(x, at::TensorOptions(at::kBool)) : at::Tensor()};
  const auto* from = x.const_data_ptr<float>();
  auto* to = result.values.mutable_data_ptr<float>();
  auto* inside = want_inside ? result.inside.mutable_data_ptr<bool>() : nullptr;
  run_tasks((x.numel() + kGrain - 1) / kGrain, [&](int64_t task) {
    auto begin = task * kGrain;
    const auto end = std::min(begin + kGrain, x.numel());
    while (begin < end) {
      const auto k = begin / length;
      const auto count = std::min(end, (k + 1) * length) - begin;
      const Rounding rounding{scales[k], static_cast<float>(spec.low()) - zero_points[k],
                              static_cast<float>(spec.high()) - zero_points[k]};
      round_all(from + begin, to + begin, count, rounding);
      if (inside) note_inside(from + begin, inside + begin, count, rounding);
      begin += count;
    }
  });
  return result;
}

}  // namespace

Rounded rounded(const at::Tensor& x, const Grid& grid, const GridSpec& spec, GridAxes axes, bool want_inside) {
  const at::NoGradGuard no_grad;
  if (!spec.is_integer()) return format_rounded(x, along_axes(grid.scale, axes, x), spec, want_inside);
  const auto length = spec.bits <= 16 ? stretch_length(x, axes) : 0;  // one pass rounds exactly below 2^22
  if (length > 0) return rounded_in_one_pass(x, grid, spec, length, want_inside);
  return rounded_by_tensors(x, grid, spec, axes, want_inside);
}

}  // namespace compress::ops
