#include "ops/pointwise_op.h"

#include <ATen/ops/constant_pad_nd.h>

namespace compress::ops {

namespace {

int64_t summed_axis(const Node& node, int64_t rank) {
  return axis_of(node.attributes.integer("axis", 0), rank);
}

/// The same with a zero in front along an axis, and without its last element.
at::Tensor moved_on(const at::Tensor& x, int64_t axis) {
  if (x.size(axis) == 0) return x;
  std::vector<int64_t> pads(static_cast<size_t>(2 * (x.dim() - axis)), 0);
  pads[pads.size() - 2] = 1;
  return at::constant_pad_nd(x.narrow(axis, 0, x.size(axis) - 1), pads, 0);
}

Kernel cum_sum_kernel(const Node& node) {
  return [node, exclusive = node.attributes.integer("exclusive", 0) != 0,
          reverse = node.attributes.integer("reverse", 0) != 0](Call& call) {
    const auto given = computable(call.in(0));
    const auto axis = summed_axis(node, given.dim());
    auto x = reverse ? given.flip({axis}) : given;
    if (exclusive) x = moved_on(x, axis);
    const auto sums = x.cumsum(axis, x.scalar_type());
    call.out() = of_type(reverse ? sums.flip({axis}) : sums, call.in(0).scalar_type());
  };
}

std::vector<ValueInfo> cum_sum_infer(const InferCall& call) {
  summed_axis(call.node, std::ssize(call.shape(0)));
  return {call.in(0)};
}

void cum_sum_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  flow.block(flow.axis(0, summed_axis(flow.node(), std::ssize(flow.shape(0)))), "each channel depends on those before");
  flow.set_output(flow.map(0));
}

}  // namespace

namespace families {
extern const OpFamily cum_sum{
    {{.name = "CumSum",
      .doc = "sums along an axis of all elements up to each, or (exclusive) before it",
      .since_opset = 11,
      .attributes = {{"axis", AttributeSpec::Type::integer, true},
                     {"exclusive", AttributeSpec::Type::integer},
                     {"reverse", AttributeSpec::Type::integer}},
      .constant_inputs = {{.index = 1, .attribute = "axis", .since_opset = 11, .scalar = true}},
      .kernel = cum_sum_kernel,
      .gradient = Gradient::yes,
      .infer = cum_sum_infer,
      .macs = no_macs,
      .channels = cum_sum_channels,
      .resize = keep_attributes,
      .quantization = Quantization::none}}};
}

}  // namespace compress::ops
