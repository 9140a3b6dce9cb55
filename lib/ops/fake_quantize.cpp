#include "core/text.h"
#include "ops/channels.h"
#include "ops/parallel.h"
#include "ops/quantization_grid.h"
#include "ops/shape.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

/// Simulated quantisation. Training sees the rounding of the integers that will be exported; the gradient passes
/// straight through, except where the value is clipped.
namespace compress::ops {

namespace {

/// A value counts as clipped when it lies more than half a step beyond the last integer. A hundredth more, because the
/// largest weight on a symmetric grid of the full range lies exactly there, give or take the division's rounding, and
/// must keep its gradient.
constexpr float kReach = 0.51F;

struct Rounded {
  at::Tensor values;
  at::Tensor inside;  ///< where nothing was clipped; undefined when not asked for
};

Rounded
rounded_by_tensors(const at::Tensor& x, const Grid& grid, const GridSpec& spec, int64_t axis, bool want_inside) {
  const auto scale = along_axis(grid.scale, axis, x.dim());
  const auto zero_point = along_axis(grid.zero_point, axis, x.dim()).to(x.scalar_type());
  auto q = x.div(scale);
  at::Tensor inside;
  if (want_inside) {
    const auto exact = q.add(zero_point);
    inside = exact.ge(static_cast<double>(spec.low()) - kReach)
                 .logical_and_(exact.le(static_cast<double>(spec.high()) + kReach));
  }
  q.round_().add_(zero_point);
  return {q.clamp_(spec.low(), spec.high()).sub_(zero_point).mul_(scale), inside};
}

/// A stretch of memory with one scale; low and high are relative to the zero point.
struct Stretch {
  float scale, low, high;
};

/// One pass instead of eight. rint by adding 1.5 * 2^23: exact half-to-even for |x| < 2^22, which clamping one step
/// outside the range ensures.
void round_stretch(const float* x, float* y, bool* inside, int64_t count, Stretch s) {
  constexpr float kMagic = 12582912.0F;
  for (int64_t i = 0; i < count; ++i) {
    const float near = std::min(std::max(x[i] / s.scale, s.low - 1), s.high + 1);
    const float q = (near + kMagic) - kMagic;
    if (inside) inside[i] = near >= s.low - kReach && near <= s.high + kReach;
    y[i] = std::min(std::max(q, s.low), s.high) * s.scale;
  }
}

/// How many elements in memory order share a scale; 0: the scales alternate.
int64_t stretch_length(const at::Tensor& x, int64_t axis) {
  if (!x.is_cpu() || x.scalar_type() != at::kFloat || !x.is_non_overlapping_and_dense() || x.numel() == 0) return 0;
  if (axis < 0) return x.numel();
  const auto length = x.numel() / x.size(axis);
  return axis == 0 && x.stride(0) == length ? length : 0;
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
      const Stretch stretch{scales[k], static_cast<float>(spec.low()) - zero_points[k],
                            static_cast<float>(spec.high()) - zero_points[k]};
      round_stretch(from + begin, to + begin, inside ? inside + begin : nullptr, count, stretch);
      begin += count;
    }
  });
  return result;
}

Rounded rounded(const at::Tensor& x, const Grid& grid, const GridSpec& spec, int64_t axis, bool want_inside) {
  const auto length = spec.bits <= 16 ? stretch_length(x, axis) : 0;  // one pass rounds exactly below 2^22
  if (length > 0) return rounded_in_one_pass(x, grid, spec, length, want_inside);
  return rounded_by_tensors(x, grid, spec, axis, want_inside);
}

class StraightThrough final : public torch::autograd::Function<StraightThrough> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& scale,
                            const at::Tensor& zero_point,
                            const GridSpec& spec,
                            int64_t axis) {
    auto result = rounded(x, {scale, zero_point}, spec, axis, /*want_inside=*/true);
    context->save_for_backward({result.inside});
    return result.values;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    return {gradients[0].mul(context->get_saved_variables()[0]), {}, {}, {}, {}};
  }
};

/// What a node of this kind does with its grid before it rounds.
struct Method {
  std::string name;
  double decay = 0;
  GridSpec spec;
  int64_t axis = -1;
  int64_t slot =
      -1;  ///< several nodes share one grid: which entry of the moving averages is this node's; -1: all of them
};

at::Tensor own_slot(const at::Tensor& averages, const Method& method) {
  return method.slot < 0 ? averages : averages.select(0, method.slot);
}

/// Bias-corrected moving average of the batch's range: biased = biased * d + (1 - d) * v, value = biased / (1 - d^t).
/// The value is what is stored.
void follow_range(const at::Tensor& stored, const at::Tensor& batch, const at::Tensor& steps, double decay) {
  const auto share = [&](const at::Tensor& step) { return step.mul(std::log(decay)).expm1().neg(); };
  const auto step = steps.to(at::kDouble).reshape({});
  const auto biased =
      stored.to(at::kDouble).mul(share(step.sub(1))).mul(decay).add(batch.reshape(stored.sizes()), 1 - decay);
  stored.copy_(biased.div(share(step)));
}

void update_grid(Call& call, const Method& method) {
  if (method.name == "fixed") return;
  const at::NoGradGuard no_grad;
  const auto range = value_range(call.in(0).detach(), method.axis);
  if (method.name == "minmax") {
    write_grid(make_grid(range.min, range.max, method.spec), call.in(1), call.in(2));
    return;
  }
  const auto steps = own_slot(call.in(5), method).add_(1);
  follow_range(own_slot(call.in(3), method), range.min, steps, method.decay);
  follow_range(own_slot(call.in(4), method), range.max, steps, method.decay);
  const bool shared = method.slot >= 0;  // an entry that has seen nothing yet is 0, which every grid covers
  write_grid(make_grid(shared ? call.in(3).amin() : call.in(3), shared ? call.in(4).amax() : call.in(4), method.spec),
             call.in(1), call.in(2));
}

Kernel fake_quantize_kernel(const Node& node) {
  const Method method{.name = node.attributes.text("method", "fixed"),
                      .decay = node.attributes.number("ema_decay", 0.999),
                      .spec = grid_spec(node),
                      .axis = node.attributes.integer("axis", -1),
                      .slot = node.attributes.integer("slot", -1)};
  return [method](Call& call) {
    if (call.mode == Mode::train) update_grid(call, method);
    call.out() = fake_quantize(call.in(0), {call.in(1), call.in(2)}, method.spec, method.axis);
  };
}

std::vector<ValueInfo> fake_quantize_infer(const InferCall& call) {
  grid_spec(call.node);
  const auto axis = call.node.attributes.integer("axis", -1);
  if (axis < -1 || axis >= std::ssize(call.shape(0)))
    throw request_error("attribute 'axis' is {}, but the value has {} axes", axis, call.shape(0).size())
        .hint("-1: one grid for the whole value");
  const auto grids = axis < 0 ? 1 : call.shape(0)[static_cast<size_t>(axis)];
  const auto slot = call.node.attributes.integer("slot", -1);
  for (size_t i = 3; i < std::min<size_t>(call.inputs.size(), 6) && slot >= 0; ++i)
    if (axis >= 0 || call.shape(i).size() != 1 || slot >= call.shape(i)[0])
      throw request_error("attribute 'slot' is {}, but input {} has shape {}", slot, i, shape_text(call.shape(i)));
  for (size_t i = 1; i < std::min<size_t>(call.inputs.size(), slot < 0 ? 5 : 3); ++i)
    if (call.has(i) && elements(call.shape(i)) != grids)
      throw request_error("input {} has shape {}, but {} number(s) are needed", i, shape_text(call.shape(i)), grids);
  const auto decay = call.node.attributes.number("ema_decay", 0.999);
  if (decay <= 0 || decay >= 1) throw request_error("attribute 'ema_decay' is {}", decay).hint("allowed is (0, 1)");
  if (call.node.attributes.text("method", "fixed") == "ema" && !(call.has(3) && call.has(4) && call.has(5)))
    throw request_error("method 'ema' needs the inputs range_min, range_max and steps");
  return {call.in(0)};
}

void fake_quantize_channels(ChannelFlow& flow) {
  same_channels(flow);
  const auto axis = flow.node().attributes.integer("axis", -1);
  if (axis < 0) return;
  for (size_t i = 1; i < std::min<size_t>(flow.inputs(), 5); ++i) flow.bind(i, 0, flow.axis(0, axis));
}

}  // namespace

at::Tensor fake_quantize(const at::Tensor& x, const Grid& grid, const GridSpec& spec, int64_t axis) {
  if (at::GradMode::is_enabled() && x.requires_grad())
    return StraightThrough::apply(x, grid.scale, grid.zero_point, spec, axis);
  const at::NoGradGuard no_grad;
  return rounded(x, grid, spec, axis, /*want_inside=*/false).values;
}

namespace families {
extern const OpFamily fake_quantize{
    {{.name = "FakeQuantize",
      .doc = "rounds to a grid of integers; training updates the grid (minmax, ema) or leaves it (fixed)",
      .domain = "compress",
      .min_inputs = 3,
      .max_inputs = 6,
      .attributes = {{"axis", AttributeSpec::Type::integer},
                     {"bits", AttributeSpec::Type::integer},
                     {"ema_decay", AttributeSpec::Type::number},
                     {"method", AttributeSpec::Type::text, false, "fixed|minmax|ema"},
                     {"narrow_range", AttributeSpec::Type::integer},
                     {"signed", AttributeSpec::Type::integer},
                     {"slot", AttributeSpec::Type::integer},
                     {"symmetric", AttributeSpec::Type::integer}},
      .kernel = fake_quantize_kernel,
      .gradient = Gradient::straight,
      .infer = fake_quantize_infer,
      .macs = no_macs,
      .channels = fake_quantize_channels,
      .resize = keep_attributes,
      .quantization = Quantization::quantizer}}};
}

}  // namespace compress::ops
