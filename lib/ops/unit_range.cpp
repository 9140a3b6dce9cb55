#include "ops/unit_range.h"

#include "ops/grid_rounding.h"
#include "ops/learned_rounding.h"

#include <ATen/core/grad_mode.h>

namespace compress::ops {

namespace {

Grid unit_grid(const MethodCall& call) {
  const auto zero = call.stored().scale.detach().mul(0), one = zero.add(1);
  return make_grid(call.spec.is_signed ? one.neg() : zero, one, call.spec);
}

}  // namespace

at::Tensor unit_range_forward(const MethodCall& call) {
  auto values = rounded(call.value(), unit_grid(call), call.spec, call.axes, /*want_inside=*/false).values;
  if (!at::GradMode::is_enabled()) return values;
  return straight_through(values, call.value().clamp(call.spec.is_signed ? -1 : 0, 1));
}

Settled unit_range_settle(const MethodCall& call) {
  return {.spec = call.spec, .grid = unit_grid(call)};
}

void check_unit_range(const Node& node) {
  check_learned(node);
  const auto spec = method_spec(node);
  if (!spec.symmetric || spec.scale_rule != ScaleRule::exact)
    throw request_error("method '{}' has a range of its own: the grid is symmetric and its scale exact",
                        grid_method(node).name)
        .hint("symmetric=1 scale_rule=\"exact\"");
}

}  // namespace compress::ops
