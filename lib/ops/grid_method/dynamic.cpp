#include "ops/grid_method.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>

namespace compress::ops {

namespace {

/// The mean over the samples of each one's extremes; on symmetric grids of its largest magnitude (Distiller's AVG).
ValueRange averaged(const at::Tensor& x, const GridSpec& spec) {
  const auto samples = x.dim() > 1 ? x.flatten(1) : x.reshape({-1, 1});
  if (!spec.symmetric) return {samples.amin(1).mean(), samples.amax(1).mean()};
  const auto reach = (spec.is_signed ? samples.abs() : samples).amax(1).mean();
  return {spec.is_signed ? reach.neg() : at::zeros_like(reach), reach};
}

Grid batch_grid(const MethodCall& call) {
  const at::NoGradGuard no_grad;
  const bool average = call.node.attributes.text("clip", "none") == "average";
  const auto range = average ? averaged(call.value(), call.spec) : value_range(call.value(), call.axes);
  return make_grid(range.min, range.max, call.spec);
}

at::Tensor dynamic_forward(const MethodCall& call) {
  return fake_quantize(call.value(), batch_grid(call), call.spec, call.axes);
}

void check_clip(const Node& node) {
  if (node.attributes.text("clip", "none") == "average" && grid_axes(node).axis >= 0)
    throw request_error("attribute 'clip' is 'average', which is for one grid for the whole value")
        .hint("leave out 'axis'");
}

constexpr AttributeSpec kAttributes[] = {{"clip", AttributeSpec::Type::text, false, "none|average"}};

}  // namespace

extern const GridMethod dynamic_method;
constinit const GridMethod dynamic_method{
    .name = "dynamic",
    .doc = "each call takes the grid from the value's own extremes, in evaluation too",
    .needs_range = false,
    .attributes = kAttributes,
    .check = check_clip,
    .forward = dynamic_forward};

}  // namespace compress::ops
