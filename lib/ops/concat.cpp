#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/cat.h>

#include <algorithm>

namespace compress::ops {

namespace {

int64_t concat_axis(const Node& node, size_t rank) {
  return axis_of(node.attributes.integer("axis", 1), static_cast<int64_t>(rank));
}

Kernel concat_kernel(const Node& node) {
  return [axis = node.attributes.integer("axis", 1)](Call& call) {
    std::vector<at::Tensor> parts;
    for (const auto* input : call.inputs) parts.push_back(*input);
    call.out() = at::cat(parts, axis);
  };
}

std::vector<ValueInfo> concat_infer(const InferCall& call) {
  require_rank(call, 0, 1);
  auto result = call.in(0);
  const auto axis = static_cast<size_t>(concat_axis(call.node, result.shape.size()));
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    auto expected = call.shape(i);
    if (axis < expected.size()) expected[axis] = result.shape[axis];
    if (expected != result.shape)
      throw request_error("input {} of shape {} cannot be joined on axis {} to input 0 of shape {}", i,
                          shape_text(call.shape(i)), axis, shape_text(call.shape(0)));
    result.shape[axis] += call.shape(i)[axis];
  }
  return {result};
}

Atoms joined_channels(ChannelFlow& flow, int64_t axis) {
  Atoms joined;
  const auto tracked = [&](size_t i) { return !flow.axis(i, axis).empty(); };
  bool any = false;
  for (size_t i = 0; i < flow.inputs(); ++i) any = any || tracked(i);
  if (!any) return joined;
  for (size_t i = 0; i < flow.inputs(); ++i) std::ranges::copy(flow.own_axis(i, axis), std::back_inserter(joined));
  return joined;
}

/// The channels that all inputs share on an axis that is not joined.
Atoms shared_channels(ChannelFlow& flow, int64_t axis) {
  for (size_t i = 0; i < flow.inputs(); ++i) {
    const auto atoms = flow.axis(i, axis);
    if (atoms.empty()) continue;
    for (size_t other = 0; other < flow.inputs(); ++other) flow.bind(other, axis, atoms);
    return atoms;
  }
  return {};
}

void concat_channels(ChannelFlow& flow) {
  const auto joined = concat_axis(flow.node(), flow.output_shape().size());
  ChannelMap map(flow.output_shape().size());
  for (int64_t axis = 0; axis < std::ssize(map); ++axis)
    map[static_cast<size_t>(axis)] = axis == joined ? joined_channels(flow, axis) : shared_channels(flow, axis);
  flow.set_output(std::move(map));
}

}  // namespace

namespace families {
extern const OpFamily concat{{{.name = "Concat",
                               .doc = "joins values along an axis",
                               .min_inputs = 1,
                               .max_inputs = -1,
                               .since_opset = 4,
                               .attributes = {{"axis", AttributeSpec::Type::integer, true}},
                               .kernel = concat_kernel,
                               .gradient = Gradient::yes,
                               .infer = concat_infer,
                               .macs = no_macs,
                               .channels = concat_channels,
                               .resize = keep_attributes,
                               .quantization = Quantization::same_grid}}};
}

}  // namespace compress::ops
