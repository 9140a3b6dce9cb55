#include "ops/grid_method.h"
#include "ops/grid_rounding.h"
#include "ops/learned_rounding.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace compress::ops {

namespace {

/// Gradient of x between 0 and the clip; gradient of the clip where x reaches it (Choi et al. 2018, equation 2).
class PactRounding final : public torch::autograd::Function<PactRounding> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& clip,
                            const Grid& grid,
                            const GridSpec& spec,
                            GridAxes axes) {
    context->save_for_backward({x, clip});
    return rounded(x, grid, spec, axes, /*want_inside=*/false).values;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &clip = saved[1], &g = gradients[0];
    const auto clipped = x.ge(clip);
    return {g.mul(x.gt(0).logical_and_(clipped.logical_not())),
            g.to(clip.scalar_type()).mul(clipped).sum_to_size(clip.sizes()),
            {},
            {},
            {}};
  }
};

struct Clipped {
  at::Tensor clip;
  Grid grid;
};

Clipped pact_grid(const MethodCall& call) {
  const auto steps = static_cast<double>(call.spec.high());
  const auto& alpha = call.own(0);
  const auto scale = usable_scale(alpha.detach().div(steps), call.spec);
  const auto clip = call.spec.scale_rule == ScaleRule::exact ? alpha.detach() : scale.mul(steps);
  return {straight_through(clip, alpha), {scale, call.stored().zero_point}};
}

at::Tensor pact_forward(const MethodCall& call) {
  const auto [clip, grid] = pact_grid(call);
  if (!at::GradMode::is_enabled()) return rounded(call.value(), grid, call.spec, call.axes, false).values;
  return PactRounding::apply(call.value(), along_axes(clip, call.axes, call.value()), grid, call.spec, call.axes);
}

Settled pact_settle(const MethodCall& call) {
  return {.spec = call.spec, .grid = pact_grid(call).grid};
}

std::vector<at::Tensor> pact_start(const ValueRange& range, const GridSpec&) {
  return {range.max.masked_fill(range.max.le(0), 1)};
}

void check_pact(const Node& node) {
  check_learned(node);
  const auto spec = grid_spec(node);
  if (spec.is_signed || spec.narrow || !spec.symmetric)
    throw request_error("method 'pact' clips to [0, alpha]: its grid is unsigned with zero point 0")
        .hint("signed=0 narrow_range=0 symmetric=1; for weights the method 'pact_asymmetric'");
}

constexpr MethodInput kPactInputs[] = {{.name = "alpha"}};

}  // namespace

extern const GridMethod pact_method;
constinit const GridMethod pact_method{.name = "pact",
                                       .doc = "clips to [0, alpha], alpha learned from what it clips (PACT)",
                                       .inputs = kPactInputs,
                                       .start = pact_start,
                                       .check = check_pact,
                                       .forward = pact_forward,
                                       .settle = pact_settle};

}  // namespace compress::ops
