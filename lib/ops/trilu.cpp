#include "ops/pointwise_op.h"

#include <algorithm>

namespace compress::ops {

namespace {

Kernel trilu_kernel(const Node& node) {
  return [upper = node.attributes.integer("upper", 1) != 0, k = node.attributes.integer("k", 0)](Call& call) {
    const auto x = computable(call.in(0));
    const auto rows = x.size(-2), columns = x.size(-1);
    const auto diagonal = std::clamp(k, -rows - 1, columns + 1);  // farther ones change nothing
    call.out() = of_type(upper ? x.triu(diagonal) : x.tril(diagonal), call.in(0).scalar_type());
  };
}

std::vector<ValueInfo> trilu_infer(const InferCall& call) {
  require_rank(call, 0, 2);
  return {call.in(0)};
}

void trilu_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  for (const auto axis : {std::ssize(flow.shape(0)) - 2, std::ssize(flow.shape(0)) - 1})
    flow.block(flow.axis(0, axis), "what is kept depends on the channel's index");
  flow.set_output(flow.map(0));
}

}  // namespace

namespace families {
extern const OpFamily trilu{
    {{.name = "Trilu",
      .doc = "the part of matrices above (or below) the k-th diagonal, else 0",
      .since_opset = 14,
      .attributes = {{"k", AttributeSpec::Type::integer}, {"upper", AttributeSpec::Type::integer}},
      .constant_inputs = {{.index = 1, .attribute = "k", .since_opset = 14, .scalar = true}},
      .kernel = trilu_kernel,
      .gradient = Gradient::yes,
      .infer = trilu_infer,
      .macs = no_macs,
      .channels = trilu_channels,
      .resize = keep_attributes,
      .quantization = Quantization::same_grid}}};
}

}  // namespace compress::ops
