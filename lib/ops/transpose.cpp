#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <algorithm>

namespace compress::ops {

namespace {

/// Output axis k is input axis order[k]; reversed when nothing is stated.
Shape axis_order(const Node& node, int64_t rank) {
  Shape axes;
  for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  const Shape reversed(axes.rbegin(), axes.rend());
  const auto order = node.attributes.integers("perm", reversed);
  auto sorted = order;
  std::ranges::sort(sorted);
  if (sorted != axes) throw request_error("attribute 'perm' must list each of the {} axes of the value once", rank);
  return order;
}

Kernel transpose_kernel(const Node& node) {
  return [node](Call& call) { call.out() = call.in(0).permute(axis_order(node, call.in(0).dim())); };
}

std::vector<ValueInfo> transpose_infer(const InferCall& call) {
  ValueInfo result{.shape = {}, .type = call.in(0).type};
  for (const auto axis : axis_order(call.node, std::ssize(call.shape(0))))
    result.shape.push_back(call.shape(0)[static_cast<size_t>(axis)]);
  return {result};
}

void transpose_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  ChannelMap map;
  for (const auto axis : axis_order(flow.node(), std::ssize(flow.shape(0)))) map.push_back(flow.axis(0, axis));
  flow.set_output(std::move(map));
}

}  // namespace

namespace families {
extern const OpFamily transpose{{{.name = "Transpose",
                                  .doc = "permutes axes",
                                  .attributes = {{"perm", AttributeSpec::Type::integers}},
                                  .kernel = transpose_kernel,
                                  .gradient = Gradient::yes,
                                  .infer = transpose_infer,
                                  .macs = no_macs,
                                  .channels = transpose_channels,
                                  .resize = keep_attributes,
                                  .quantization = Quantization::same_grid}}};
}

}  // namespace compress::ops
