#include "ops/grid_method.h"

#include <ATen/core/grad_mode.h>

#include <cmath>

namespace compress::ops {

namespace {

/// Bias-corrected moving average of the batch's range: biased = biased * d + (1 - d) * v, value = biased / (1 - d^t).
/// The value is what is stored.
void follow_range(const at::Tensor& stored, const at::Tensor& batch, const at::Tensor& steps, double decay) {
  const auto share = [&](const at::Tensor& step) { return step.mul(std::log(decay)).expm1().neg(); };
  const auto step = steps.to(at::kDouble).reshape({});
  const auto biased =
      stored.to(at::kDouble).mul(share(step.sub(1))).mul(decay).add(batch.reshape(stored.sizes()), 1 - decay);
  stored.copy_(biased.div(share(step)));
}

void follow_batch(const MethodCall& call) {
  const at::NoGradGuard no_grad;
  const auto slot = call.node.attributes.integer("slot", -1);
  const auto decay = call.node.attributes.number("ema_decay", 0.999);
  const auto mine = [&](size_t i) { return slot < 0 ? call.own(i) : call.own(i).select(0, slot); };
  const auto range = value_range(call.value(), call.axes);
  const auto steps = mine(2).add_(1);
  follow_range(mine(0), range.min, steps, decay);
  follow_range(mine(1), range.max, steps, decay);
  // An entry that has seen nothing yet is 0, which every grid covers.
  const auto low = slot < 0 ? call.own(0) : call.own(0).amin(), high = slot < 0 ? call.own(1) : call.own(1).amax();
  const auto grid = call.stored();
  write_grid(make_grid(low, high, call.spec), grid.scale, grid.zero_point);
}

at::Tensor ema_forward(const MethodCall& call) {
  if (call.mode == Mode::train) follow_batch(call);
  return fake_quantize(call.value(), call.stored(), call.spec, call.axes);
}

void check_decay(const Node& node) {
  const auto decay = node.attributes.number("ema_decay", 0.999);
  if (decay <= 0 || decay >= 1) throw request_error("attribute 'ema_decay' is {}", decay).hint("allowed is (0, 1)");
}

constexpr MethodInput kEmaInputs[] = {
    {.name = "range_min", .trainable = false, .per_value = true},
    {.name = "range_max", .trainable = false, .per_value = true},
    {.name = "steps", .trainable = false, .per_value = true, .single = true},
};
constexpr AttributeSpec kEmaAttributes[] = {{"ema_decay", AttributeSpec::Type::number}};

}  // namespace

extern const GridMethod ema_method;
constinit const GridMethod ema_method{
    .name = "ema",
    .doc = "the grid follows a bias-corrected moving average of the batches' extremes, in training (Distiller's)",
    .needs_range = false,
    .by_extremes = true,
    .inputs = kEmaInputs,
    .attributes = kEmaAttributes,
    .check = check_decay,
    .forward = ema_forward,
    .settle = settle_stored};

}  // namespace compress::ops
