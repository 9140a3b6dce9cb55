#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/where.h>

namespace compress::ops {

namespace {

int64_t new_axis(const Node& node, int64_t rank) {
  return axis_of(node.attributes.integer("axis", -1), rank + 1);
}

/// An index outside [-depth, depth) is nowhere on.
Kernel one_hot_kernel(const Node& node) {
  return [node, depth = node.attributes.integer("depth", 1)](Call& call) {
    const auto given = call.in(0).to(at::kLong);
    const auto axis = new_axis(node, given.dim());
    const auto indices = at::where(given.lt(0), given.add(depth), given).unsqueeze(axis);
    Shape along_axis(static_cast<size_t>(indices.dim()), 1);
    along_axis[static_cast<size_t>(axis)] = depth;
    const auto on = indices.eq(at::arange(depth, indices.options()).reshape(along_axis));
    call.out() = at::where(on, call.in(2)[1], call.in(2)[0]);
  };
}

std::vector<ValueInfo> one_hot_infer(const InferCall& call) {
  if (!call.has(2)) throw request_error("input 2, the values for off and on, is absent, but the operator needs it");
  if (call.shape(2) != Shape{2})
    throw request_error("the values have shape {}, but must be two: off and on", shape_text(call.shape(2)));
  const auto depth = call.node.attributes.integer("depth", 1);
  if (depth < 0) throw request_error("depth is {}, but must not be negative", depth);
  auto shape = call.shape(0);
  shape.insert(shape.begin() + new_axis(call.node, std::ssize(shape)), depth);
  return {{.shape = shape, .type = call.in(2).type}};
}

void one_hot_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  flow.bind(2, 0, {});
  auto map = flow.map(0);
  map.insert(map.begin() + new_axis(flow.node(), std::ssize(flow.shape(0))), Atoms{});
  flow.set_output(std::move(map));
}

}  // namespace

namespace families {
extern const OpFamily one_hot{
    {{.name = "OneHot",
      .doc = "a new axis of size depth, on at the index and off elsewhere",
      .max_inputs = 3,
      .since_opset = 9,
      .attributes = {{"axis", AttributeSpec::Type::integer}, {"depth", AttributeSpec::Type::integer, true}},
      .constant_inputs = {{.index = 1, .attribute = "depth", .since_opset = 9, .scalar = true}},
      .kernel = one_hot_kernel,
      .gradient = Gradient::none,
      .infer = one_hot_infer,
      .macs = no_macs,
      .channels = one_hot_channels,
      .resize = keep_attributes,
      .quantization = Quantization::none}}};
}

}  // namespace compress::ops
