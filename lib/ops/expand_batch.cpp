#include "ops/channels.h"
#include "ops/shape.h"

/// What ONNX spells as Expand to a shape read off another value. Import makes it, export takes it apart again.
namespace compress::ops {

namespace {

int64_t repeated_axis(const Node& node, size_t rank) {
  return axis_of(node.attributes.integer("axis", 0), static_cast<int64_t>(rank));
}

Kernel expand_batch_kernel(const Node& node) {
  return [node](Call& call) {
    auto sizes = shape_of(call.in(0));
    sizes[static_cast<size_t>(repeated_axis(node, sizes.size()))] = call.in(1).size(0);
    call.out() = call.in(0).expand(sizes);
  };
}

std::vector<ValueInfo> expand_batch_infer(const InferCall& call) {
  require_rank(call, 0, 1);
  require_rank(call, 1, 1);
  auto result = call.in(0);
  auto& size = result.shape[static_cast<size_t>(repeated_axis(call.node, result.shape.size()))];
  if (size != 1) throw request_error("the axis that becomes the batch has size {}, it must have 1", size);
  size = call.shape(1)[0];
  return {result};
}

void expand_batch_channels(ChannelFlow& flow) {
  const auto repeated = repeated_axis(flow.node(), flow.shape(0).size());
  flow.block(flow.axis(1, 0), "the batch carries channels");
  flow.block(flow.axis(0, repeated), "one channel is spread over several");
  ChannelMap map;
  for (int64_t axis = 0; axis < std::ssize(flow.shape(0)); ++axis) {
    const bool own = flow.is_parameter(0) && axis != repeated && flow.shape(0)[static_cast<size_t>(axis)] > 1;
    map.push_back(own ? flow.own_axis(0, axis) : axis == repeated ? Atoms{} : flow.axis(0, axis));
  }
  flow.set_output(std::move(map));
}

}  // namespace

namespace families {
extern const OpFamily expand_batch{{{.name = "ExpandBatch",
                                     .doc = "repeats an axis of size 1 as often as the second input has samples",
                                     .domain = "compress",
                                     .min_inputs = 2,
                                     .max_inputs = 2,
                                     .attributes = {{"axis", AttributeSpec::Type::integer}},
                                     .kernel = expand_batch_kernel,
                                     .gradient = Gradient::yes,
                                     .infer = expand_batch_infer,
                                     .macs = no_macs,
                                     .channels = expand_batch_channels,
                                     .resize = keep_attributes,
                                     .quantization = Quantization::none}}};
}

}  // namespace compress::ops
