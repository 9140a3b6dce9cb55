#include "ops/restricted_scale.h"

#include "core/error.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/frexp.h>
#include <ATen/ops/where.h>

#include <cmath>

namespace compress::ops {

namespace {

/// The greatest powers of two that are not above x > 0. Exact, unlike vectorised logarithms and powers.
at::Tensor power_of_two_below(const at::Tensor& x) {
  return x.div(std::get<0>(at::frexp(x))).div_(2);
}

}  // namespace

at::Tensor power_of_two(const at::Tensor& scale) {
  const at::NoGradGuard no_grad;
  const auto below = power_of_two_below(scale);
  return at::where(below.eq(scale), below, below.mul(2));
}

Grid make_fractional_grid(const at::Tensor& min, const at::Tensor& max, const GridSpec& spec) {
  const at::NoGradGuard no_grad;
  auto grid = make_grid(min, max, spec);
  if (!spec.symmetric) grid.zero_point = min.clamp_max(0).div(grid.scale).neg_().add_(static_cast<double>(spec.low()));
  return grid;
}

FixedPointScale fixed_point_scale(const at::Tensor& scale, int64_t bits) {
  const at::NoGradGuard no_grad;
  if (bits < 2 || bits > 31)
    throw request_error("a scale approximated by a multiplier of {} bits", bits).hint("allowed are 2 to 31 bits");
  const auto exact = scale.detach().to(at::kDouble);
  const auto ratio = exact.reciprocal().mul_(std::ldexp(1.0, static_cast<int>(bits)) - 1);
  const auto usable = exact.gt(0).logical_and_(exact.isfinite()).logical_and_(ratio.isfinite());
  if (!usable.all().item<bool>())
    throw request_error("the scale {} cannot be approximated by a multiplication and a shift",
                        exact.masked_select(usable.logical_not())[0].item<double>())
        .hint("scales are positive finite numbers");
  const auto power = power_of_two_below(ratio), multiplier = exact.mul(power).floor_();
  return {multiplier, std::get<1>(at::frexp(ratio)).sub(1).to(at::kDouble), multiplier.div(power)};
}

}  // namespace compress::ops
