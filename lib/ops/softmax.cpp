#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/softmax.h>

namespace compress::ops {

namespace {

Kernel softmax_kernel(const Node& node) {
  return [axis = node.attributes.integer("axis", -1)](Call& call) { call.out() = call.in(0).softmax(axis); };
}

std::vector<ValueInfo> softmax_infer(const InferCall& call) {
  axis_of(call.node.attributes.integer("axis", -1), std::ssize(call.shape(0)));
  return {call.in(0)};
}

void softmax_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto axis = axis_of(flow.node().attributes.integer("axis", -1), std::ssize(flow.shape(0)));
  flow.block(flow.axis(0, axis), "each channel depends on all");
  flow.set_output(flow.map(0));
}

}  // namespace

namespace families {
extern const OpFamily softmax{{{.name = "Softmax",
                                .doc = "exp(x) divided by its sum over an axis",
                                .since_opset = 13,
                                .attributes = {{"axis", AttributeSpec::Type::integer}},
                                .kernel = softmax_kernel,
                                .gradient = Gradient::yes,
                                .infer = softmax_infer,
                                .macs = no_macs,
                                .channels = softmax_channels,
                                .resize = keep_attributes,
                                .quantization = Quantization::arithmetic}}};
}

}  // namespace compress::ops
