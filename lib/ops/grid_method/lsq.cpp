#include "ops/grid_method.h"
#include "ops/learned_rounding.h"

namespace compress::ops {

namespace {

Grid lsq_grid(const MethodCall& call, double factor) {
  const auto stored = call.stored();
  return {usable_scale(with_gradient_scale(stored.scale, factor), call.spec), stored.zero_point};
}

at::Tensor lsq_forward(const MethodCall& call) {
  return learned_rounding(call.value(), lsq_grid(call, step_gradient_factor(call)), call.spec, call.axes, /*reach=*/0);
}

Settled lsq_settle(const MethodCall& call) {
  return {.spec = call.spec, .grid = lsq_grid(call, 1)};
}

constexpr AttributeSpec kLsqAttributes[] = {{"batched", AttributeSpec::Type::integer}};

}  // namespace

/// Esser et al. 2019. `batched`: the first axis is the batch, which is not counted among the features.
extern const GridMethod lsq_method;
constinit const GridMethod lsq_method{.name = "lsq",
                                      .doc = "the scale is learned, its gradient divided by sqrt(numbers * high) (LSQ)",
                                      .learns_scale = true,
                                      .attributes = kLsqAttributes,
                                      .check = check_learned,
                                      .forward = lsq_forward,
                                      .settle = lsq_settle};

}  // namespace compress::ops
