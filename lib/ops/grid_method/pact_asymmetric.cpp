#include "ops/grid_method.h"
#include "ops/grid_rounding.h"
#include "ops/learned_rounding.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace compress::ops {

namespace {

/// The weight's gradient passes everywhere, also where it is clipped; alpha and beta have that of what lies beyond
/// them. (NEMO's alpha, the magnitude of a negative bound, takes it with the wrong sign.)
class PactWeightRounding final : public torch::autograd::Function<PactWeightRounding> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& alpha,
                            const at::Tensor& beta,
                            const at::Tensor& low,
                            const at::Tensor& high,
                            const Grid& grid,
                            const GridSpec& spec,
                            GridAxes axes) {
    context->save_for_backward({x, alpha, beta, low, high});
    return rounded(x, grid, spec, axes, /*want_inside=*/false).values;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &g = gradients[0];
    const auto sum = [&](const at::Tensor& beyond, const at::Tensor& bound) {
      return g.to(bound.scalar_type()).mul(beyond).sum_to_size(bound.sizes());
    };
    return {g, sum(x.lt(saved[3]), saved[1]).neg_(), sum(x.gt(saved[4]), saved[2]), {}, {}, {}, {}, {}};
  }
};

/// eps = (alpha + beta) / (2^Q - 1); the integers are -ceil(alpha / eps) ... floor(beta / eps), which are 2^Q.
Grid pact_asymmetric_grid(const MethodCall& call) {
  const auto& spec = call.spec;
  const auto alpha = call.own(0).detach().clamp_min(0), beta = call.own(1).detach().clamp_min(0);
  const auto first = static_cast<double>(spec.low()), last = static_cast<double>(spec.high());
  const auto scale = usable_scale(alpha.add(beta).div(last - first), spec);
  return {scale, alpha.div(scale).ceil().add(first).clamp(first, last)};
}

at::Tensor pact_asymmetric_forward(const MethodCall& call) {
  const auto grid = pact_asymmetric_grid(call);
  const auto& spec = call.spec;
  const auto& x = call.value();
  if (!at::GradMode::is_enabled()) return rounded(x, grid, spec, call.axes, /*want_inside=*/false).values;
  const auto spread = [&](const at::Tensor& values) { return along_axes(values, call.axes, x); };
  const auto bound = [&](int64_t code) {
    return spread(grid.zero_point.neg().add(static_cast<double>(code)).mul(grid.scale));
  };
  return PactWeightRounding::apply(x, spread(call.own(0)), spread(call.own(1)), bound(spec.low()), bound(spec.high()),
                                   grid, spec, call.axes);
}

Settled pact_asymmetric_settle(const MethodCall& call) {
  return {.spec = call.spec, .grid = pact_asymmetric_grid(call)};
}

std::vector<at::Tensor> pact_asymmetric_start(const ValueRange& range, const GridSpec&) {
  return {range.min.clamp_max(0).neg(), range.max.clamp_min(0)};
}

void check_pact_asymmetric(const Node& node) {
  check_learned(node);
  if (grid_spec(node).symmetric)
    throw request_error("method 'pact_asymmetric' has two bounds, but the grid is symmetric").hint("symmetric=0");
}

constexpr MethodInput kPactAsymmetricInputs[] = {{.name = "alpha"}, {.name = "beta"}};

}  // namespace

extern const GridMethod pact_asymmetric_method;
constinit const GridMethod pact_asymmetric_method{
    .name = "pact_asymmetric",
    .doc = "clips to [-alpha, beta], both learned from what they clip (NEMO's weights)",
    .inputs = kPactAsymmetricInputs,
    .start = pact_asymmetric_start,
    .check = check_pact_asymmetric,
    .forward = pact_asymmetric_forward,
    .settle = pact_asymmetric_settle};

}  // namespace compress::ops
