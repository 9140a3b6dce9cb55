#include "ops/grid_method.h"
#include "ops/learned_rounding.h"

#include <ATen/ops/maximum.h>

namespace compress::ops {

namespace {

/// A symmetric grid moves both ends by the gradient of their distance from 0, so that they stay mirror images
/// (AIMET's range learning).
Grid symmetric_grid(const at::Tensor& min, const at::Tensor& max, const MethodCall& call) {
  const auto& spec = call.spec;
  const auto reach = spec.is_signed ? straight_through(max.detach().sub(min.detach()).mul(0.5), max.sub(min)) : max;
  return {usable_scale(reach.div(symmetric_steps(spec)), spec), call.stored().zero_point};
}

Grid trained_range_grid(const MethodCall& call) {
  // 0 stays in the range; a bound that was pushed past it can come back.
  const auto min = straight_through(call.own(0).detach().clamp_max(0), call.own(0));
  const auto max = straight_through(call.own(1).detach().clamp_min(0), call.own(1));
  const auto& spec = call.spec;
  if (spec.symmetric) return symmetric_grid(min, max, call);
  const auto first = static_cast<double>(spec.low()), last = static_cast<double>(spec.high());
  const auto scale = usable_scale(max.sub(min).div(last - first), spec);
  const auto exact = min.div(scale).neg().add(first);
  return {scale, straight_through(nearest_zero_point(exact, spec), exact)};
}

at::Tensor trained_range_forward(const MethodCall& call) {
  return learned_rounding(call.value(), trained_range_grid(call), call.spec, call.axes, /*reach=*/0.5);
}

Settled trained_range_settle(const MethodCall& call) {
  return {.spec = call.spec, .grid = trained_range_grid(call)};
}

std::vector<at::Tensor> trained_range_start(const ValueRange& range, const GridSpec& spec) {
  const auto min = range.min.clamp_max(0), max = range.max.clamp_min(0);
  if (!spec.symmetric) return {min, max};
  const auto reach = spec.is_signed ? at::maximum(min.neg(), max) : max;
  return {spec.is_signed ? reach.neg() : reach.mul(0), reach};
}

constexpr MethodInput kTrainedRangeInputs[] = {{.name = "range_min"}, {.name = "range_max"}};

}  // namespace

extern const GridMethod trained_range_method;
constinit const GridMethod trained_range_method{.name = "trained_range",
                                                .doc = "both ends of the range are learned (AIMET's range learning)",
                                                .inputs = kTrainedRangeInputs,
                                                .start = trained_range_start,
                                                .check = check_learned,
                                                .forward = trained_range_forward,
                                                .settle = trained_range_settle};

}  // namespace compress::ops
