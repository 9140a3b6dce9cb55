#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <algorithm>

namespace compress::ops {

namespace {

Shape squeezed_shape(const Node& node, const Shape& from) {
  const bool all = !node.attributes.has("axes");
  const auto axes = axes_of(node.attributes.integers("axes", {}), std::ssize(from));
  Shape shape;
  for (int64_t axis = 0; axis < std::ssize(from); ++axis) {
    const auto size = from[static_cast<size_t>(axis)];
    const bool dropped = all ? size == 1 : std::ranges::find(axes, axis) != axes.end();
    if (dropped && size != 1)
      throw request_error("axis {} of shape {} cannot be dropped: its size is not 1", axis, shape_text(from));
    if (!dropped) shape.push_back(size);
  }
  return shape;
}

Shape unsqueezed_shape(const Node& node, const Shape& from) {
  const auto stated = node.attributes.integers("axes", {});
  auto axes = axes_of(stated, std::ssize(from) + std::ssize(stated));
  std::ranges::sort(axes);
  auto shape = from;
  for (const auto axis : axes) shape.insert(shape.begin() + std::min(axis, std::ssize(shape)), 1);
  return shape;
}

using ShapeFunction = Shape (*)(const Node&, const Shape&);

template <ShapeFunction function>
Kernel view_kernel(const Node& node) {
  return [node](Call& call) { call.out() = call.in(0).reshape(function(node, shape_of(call.in(0)))); };
}

template <ShapeFunction function>
std::vector<ValueInfo> view_infer(const InferCall& call) {
  return {{.shape = function(call.node, call.shape(0)), .type = call.in(0).type}};
}

/// Without axes, ONNX drops every axis of size 1: those that have it for any batch.
void state_axes(Graph& graph, Node& node) {
  if (node.attributes.has("axes")) return;
  const auto shape = input_infos(node, infer(graph, 2, &node)).front().shape;
  Shape axes;
  for (int64_t axis = 0; axis < std::ssize(shape); ++axis)
    if (shape[static_cast<size_t>(axis)] == 1) axes.push_back(axis);
  node.attributes.set("axes", axes);
}

Op view_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&), Infer infer) {
  return {.name = name,
          .doc = doc,
          .attributes = {{"axes", AttributeSpec::Type::integers, true}},
          .constant_inputs = {{.index = 1, .attribute = "axes", .since_opset = 13}},
          .kernel = kernel,
          .gradient = Gradient::yes,
          .infer = infer,
          .macs = no_macs,
          .channels = reshaped_channels,
          .resize = keep_attributes,
          .quantization = Quantization::same_grid};
}

Op squeeze_op() {
  auto op = view_op("Squeeze", "drops axes of size 1", view_kernel<squeezed_shape>, view_infer<squeezed_shape>);
  op.attributes = {{"axes", AttributeSpec::Type::integers}};
  op.normalize = state_axes;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily squeeze{
    {squeeze_op(),
     view_op("Unsqueeze", "adds axes of size 1", view_kernel<unsqueezed_shape>, view_infer<unsqueezed_shape>)}};
}

}  // namespace compress::ops
