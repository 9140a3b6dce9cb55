#include "ops/learned_rounding.h"
#include "ops/unit_range.h"
#include "ops/weight_groups.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

namespace compress::ops {

namespace {

/// What shares a scale, along the last axis.
at::Tensor weight_parts(const at::Tensor& weight, GridAxes axes) {
  if (axes.group_size > 0) return in_groups(weight, axes);
  return axes.axis < 0 ? weight.reshape({1, -1}) : weight.movedim(axes.axis, 0).reshape({weight.size(axes.axis), -1});
}

/// sign(w) * E|w|, sign(0) = + in the paper. Exact zeros are weights that a mask took: they stay zero, and say nothing
/// about the magnitude of the others.
struct Signs {
  at::Tensor codes, scale;
};
Signs one_bit(const MethodCall& call) {
  const auto w = call.value().detach();
  const auto parts = weight_parts(w, call.axes);
  const auto scale = parts.abs().sum(-1).div(parts.ne(0).sum(-1).clamp_min(1));
  return {w.sign(), scale.masked_fill(scale.eq(0), 1).reshape(call.stored().scale.sizes())};
}

/// 2 * quantised(tanh(w) / (2 max|tanh(w)|) + 1/2) - 1 has 2^k values around 0 and none at 0: odd multiples of
/// 1 / (2^k - 1). With twice the steps they are integers of a grid with zero, which masked weights take.
double odd_steps(const GridSpec& spec) {
  return static_cast<double>((int64_t{1} << spec.bits) - 1);
}

/// tanh(w) / max|tanh(w)|, with gradient.
at::Tensor squashed(const MethodCall& call) {
  const auto t = call.value().tanh();
  const auto largest = weight_parts(t, call.axes).abs().amax(-1);
  return t.div(along_axes(largest.masked_fill(largest.eq(0), 1), call.axes, t));
}

at::Tensor odd_codes(const at::Tensor& w, const at::Tensor& squashed, const GridSpec& spec) {
  const double steps = odd_steps(spec);
  const auto codes = squashed.div(2).add(0.5).mul(steps).round().mul(2).sub(steps);
  return at::where(w.eq(0), codes.new_zeros({}), codes);
}

at::Tensor dorefa_forward(const MethodCall& call) {
  if (!call.spec.is_signed) return unit_range_forward(call);
  const auto& w = call.value();
  if (call.spec.bits == 1) {
    const auto [codes, scale] = one_bit(call);
    return straight_through(codes.mul(along_axes(scale, call.axes, w)), w);
  }
  const auto source = squashed(call);
  const at::Tensor values =
      odd_codes(w.detach(), source.detach(), call.spec).mul(w.new_full({}, 1 / odd_steps(call.spec)));
  return straight_through(values, source);
}

/// One bit more and half the step, as integers that a runtime knows.
Settled dorefa_settle(const MethodCall& call) {
  if (!call.spec.is_signed) return unit_range_settle(call);
  if (call.inputs[0] == nullptr)
    throw run_error("method 'dorefa' transforms weights, but what '{}' quantises is no parameter", call.node.name)
        .hint("give values an unsigned grid (signed=0)");
  const auto stored = call.stored().scale;
  const auto scale = call.spec.bits == 1 ? one_bit(call).scale : at::zeros_like(stored).add(1 / odd_steps(call.spec));
  return {.spec = {.bits = call.spec.bits + 1, .is_signed = true, .narrow = true, .symmetric = true},
          .grid = {scale, at::zeros_like(scale)},
          .value = dorefa_forward(call)};
}

void check_dorefa(const Node& node) {
  check_unit_range(node);
  const auto spec = method_spec(node);
  if (spec.bits == 1 && !spec.is_signed)
    throw request_error("one bit is for weights: 0 and 1 alone are no activations");
  if (spec.is_signed && spec.bits > 15)
    throw request_error("method 'dorefa' with {} bits needs integers of {} bits", spec.bits, spec.bits + 1)
        .hint("allowed are 1 to 15 bits");
}

}  // namespace

/// Zhou et al. 2016, in Distiller's form.
extern const GridMethod dorefa_method;
constinit const GridMethod dorefa_method{
    .name = "dorefa",
    .doc = "weights by their tanh (1 bit: sign and mean magnitude), unsigned grids clip to [0, 1] (DoReFa)",
    .needs_range = false,
    .min_bits = 1,
    .check = check_dorefa,
    .forward = dorefa_forward,
    .settle = dorefa_settle};

}  // namespace compress::ops
