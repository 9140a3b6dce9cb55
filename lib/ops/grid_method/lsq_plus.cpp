#include "ops/grid_method.h"
#include "ops/learned_rounding.h"

namespace compress::ops {

namespace {

/// The paper adds the offset to the integers' multiples as it is; here it is rounded to a multiple of the scale, so
/// that a runtime can have it as zero point and 0 stays 0. The gradients are the paper's (equations 5 to 7) at that
/// offset.
Grid lsq_plus_grid(const MethodCall& call, double factor) {
  const auto scale = usable_scale(with_gradient_scale(call.stored().scale, factor), call.spec);
  const auto zero_point = nearest_zero_point(call.own(0).detach().div(scale.detach()).neg(), call.spec);
  const auto offset = straight_through(zero_point.neg().mul(scale.detach()), with_gradient_scale(call.own(0), factor));
  return {scale, straight_through(zero_point, offset.div(scale).neg())};
}

at::Tensor lsq_plus_forward(const MethodCall& call) {
  const auto factor = step_gradient_factor(call);
  return learned_rounding(call.value(), lsq_plus_grid(call, factor), call.spec, call.axes, /*reach=*/0);
}

Settled lsq_plus_settle(const MethodCall& call) {
  return {.spec = call.spec, .grid = lsq_plus_grid(call, 1)};
}

/// beta = min - n * s (equation 9 of the paper): the least number falls on the least integer.
std::vector<at::Tensor> lsq_plus_start(const ValueRange& range, const GridSpec& spec) {
  const auto scale = make_grid(range.min, range.max, spec).scale;
  return {range.min.clamp_max(0).sub(scale.mul(static_cast<double>(spec.low())))};
}

void check_lsq_plus(const Node& node) {
  check_learned(node);
  if (grid_spec(node).symmetric)
    throw request_error("method 'lsq_plus' learns an offset, but the grid is symmetric")
        .hint("symmetric=0, or the method 'lsq'");
}

constexpr MethodInput kLsqPlusInputs[] = {{.name = "offset"}};
constexpr AttributeSpec kLsqPlusAttributes[] = {{"batched", AttributeSpec::Type::integer}};

}  // namespace

/// Bhalgat et al. 2020.
extern const GridMethod lsq_plus_method;
constinit const GridMethod lsq_plus_method{.name = "lsq_plus",
                                           .doc = "scale and offset are learned (LSQ+)",
                                           .learns_scale = true,
                                           .inputs = kLsqPlusInputs,
                                           .attributes = kLsqPlusAttributes,
                                           .start = lsq_plus_start,
                                           .check = check_lsq_plus,
                                           .forward = lsq_plus_forward,
                                           .settle = lsq_plus_settle};

}  // namespace compress::ops
