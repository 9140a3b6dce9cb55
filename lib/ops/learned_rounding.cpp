#include "ops/learned_rounding.h"

#include "ops/grid_rounding.h"
#include "ops/restricted_scale.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

namespace compress::ops {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class Replaced final : public torch::autograd::Function<Replaced> {
public:
  static at::Tensor forward(AutogradContext*, const at::Tensor& /*source*/, const at::Tensor& target) {
    return target.detach().clone();
  }
  static variable_list backward(AutogradContext*, const variable_list& gradients) { return {gradients[0], {}}; }
};

class ScaledGradient final : public torch::autograd::Function<ScaledGradient> {
public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& source, double factor) {
    context->saved_data["factor"] = factor;
    return source.detach().clone();
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {gradients[0].mul(context->saved_data["factor"].toDouble()), {}};
  }
};

/// `scale` and `zero_point` stand in a shape that broadcasts to x; `grid` holds the same numbers as the kernel takes
/// them.
class LearnedRounding final : public torch::autograd::Function<LearnedRounding> {
public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& scale,
                            const at::Tensor& zero_point,
                            const Grid& grid,
                            const GridSpec& spec,
                            GridAxes axes,
                            double reach) {
    auto values = rounded(x, grid, spec, axes, /*want_inside=*/false).values;
    context->save_for_backward({x, scale, zero_point, values});
    context->saved_data["low"] = static_cast<double>(spec.low()) - reach;
    context->saved_data["high"] = static_cast<double>(spec.high()) + reach;
    return values;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &scale = saved[1], &zero_point = saved[2], &values = saved[3], &g = gradients[0];
    const auto code = x.div(scale).add(zero_point);
    const auto inside =
        code.ge(context->saved_data["low"].toDouble()).logical_and_(code.le(context->saved_data["high"].toDouble()));
    const auto passed = g.mul(inside);
    at::Tensor of_scale, of_zero_point;
    // Half precision cannot hold the sums.
    const auto type = scale.scalar_type();
    if (context->needs_input_grad(1))
      of_scale = g.to(type).mul(values).sub_(passed.to(type).mul(x)).div_(scale).sum_to_size(scale.sizes());
    if (context->needs_input_grad(2))
      of_zero_point = passed.sub(g).to(type).mul_(scale).sum_to_size(zero_point.sizes());
    return {passed, of_scale, of_zero_point, {}, {}, {}, {}};
  }
};

}  // namespace

at::Tensor straight_through(const at::Tensor& target, const at::Tensor& source) {
  return Replaced::apply(source, target);
}

at::Tensor with_gradient_scale(const at::Tensor& source, double factor) {
  return ScaledGradient::apply(source, factor);
}

at::Tensor usable_scale(const at::Tensor& parameter, const GridSpec& spec) {
  constexpr double kLeast = 1e-8;
  const auto value = parameter.detach();
  auto used = value.clamp_min(kLeast);
  if (spec.scale_rule == ScaleRule::power_of_two) used = power_of_two(used);
  return straight_through(used, parameter);
}

at::Tensor nearest_zero_point(const at::Tensor& exact, const GridSpec& spec) {
  return exact.detach().round().clamp(static_cast<double>(spec.low()), static_cast<double>(spec.high()));
}

double step_gradient_factor(const MethodCall& call) {
  const auto& value = call.value();
  const bool batched = call.node.attributes.integer("batched", 0) != 0;
  const auto parts = std::max<int64_t>(call.stored().scale.numel() * (batched ? value.size(0) : 1), 1);
  const auto sharing = std::max<int64_t>(value.numel() / parts, 1);
  return 1 / std::sqrt(static_cast<double>(sharing) * static_cast<double>(call.spec.high()));
}

at::Tensor learned_rounding(const at::Tensor& x, const Grid& grid, const GridSpec& spec, GridAxes axes, double reach) {
  const Grid numbers{grid.scale.detach(), grid.zero_point.detach()};
  if (!at::GradMode::is_enabled()) return rounded(x, numbers, spec, axes, /*want_inside=*/false).values;
  return LearnedRounding::apply(x, along_axes(grid.scale, axes, x), along_axes(grid.zero_point, axes, x), numbers, spec,
                                axes, reach);
}

void check_learned(const Node& node) {
  if (node.attributes.text("format", "integer") == "integer") return;
  throw request_error("method '{}' learns a grid of integers, but the format is '{}'",
                      node.attributes.text("method", "fixed"), node.attributes.text("format", "integer"))
      .hint("use the method 'fixed' or 'minmax' with this format");
}

}  // namespace compress::ops
