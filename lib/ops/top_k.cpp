#include "ops/pointwise_op.h"

namespace compress::ops {

namespace {

int64_t ranked_axis(const Node& node, int64_t rank) {
  return axis_of(node.attributes.integer("axis", -1), rank);
}

/// Of equal values the one with the lower index comes first, as ONNX says; LibTorch's own search does not promise it.
Kernel top_k_kernel(const Node& node) {
  return [node, k = node.attributes.integer("k", 1), largest = node.attributes.integer("largest", 1) != 0](Call& call) {
    const auto x = computable(call.in(0));
    const auto axis = ranked_axis(node, x.dim());
    const auto [values, indices] = x.sort(/*stable=*/true, axis, /*descending=*/largest);
    call.out(0) = of_type(values.narrow(axis, 0, k), call.in(0).scalar_type());
    if (call.outputs.size() > 1) call.out(1) = indices.narrow(axis, 0, k);
  };
}

std::vector<ValueInfo> top_k_infer(const InferCall& call) {
  auto values = call.in(0);
  const auto axis = ranked_axis(call.node, std::ssize(values.shape));
  const auto k = call.node.attributes.integer("k", 1);
  auto& size = values.shape[static_cast<size_t>(axis)];
  if (k < 0 || k > size) throw request_error("k is {}, but axis {} has {} elements", k, axis, size);
  size = k;
  return {values, {.shape = values.shape, .type = at::kLong}};
}

void top_k_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto axis = static_cast<size_t>(ranked_axis(flow.node(), std::ssize(flow.shape(0))));
  auto map = flow.map(0);
  flow.block(map[axis], "channels are picked by value");
  map[axis].clear();
  flow.set_output(map, 0);
  flow.set_output(std::move(map), 1);
}

}  // namespace

namespace families {
extern const OpFamily top_k{{{.name = "TopK",
                              .doc = "the k largest or smallest values along an axis and their indices",
                              .min_outputs = 2,
                              .max_outputs = 2,
                              .attributes = {{"axis", AttributeSpec::Type::integer},
                                             {"k", AttributeSpec::Type::integer, true},
                                             {"largest", AttributeSpec::Type::integer},
                                             {"sorted", AttributeSpec::Type::integer}},
                              .constant_inputs = {{.index = 1, .attribute = "k", .since_opset = 10}},
                              .kernel = top_k_kernel,
                              .gradient = Gradient::yes,
                              .infer = top_k_infer,
                              .macs = no_macs,
                              .channels = top_k_channels,
                              .resize = keep_attributes,
                              .quantization = Quantization::none}}};
}

}  // namespace compress::ops
