#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <algorithm>
#include <numeric>

namespace compress::ops {

namespace {

/// The stated shape with 0 (the input's size, unless 'allowzero' makes it nothing) and -1 (what is left) replaced.
Shape resolved_shape(const Node& node, const Shape& from) {
  const auto wanted = node.attributes.integers("shape", {});
  const bool copies = node.attributes.integer("allowzero", 0) == 0;
  auto shape = wanted;
  for (size_t i = 0; i < shape.size(); ++i)
    if (copies && shape[i] == 0) shape[i] = i < from.size() ? from[i] : 0;
  const auto rest = std::ranges::find(shape, -1);
  if (rest != shape.end()) {
    *rest = 1;
    const auto others = elements(shape);
    *rest = others == 0 ? 0 : elements(from) / others;
  }
  if (elements(shape) != elements(from) || std::ranges::any_of(shape, [](int64_t size) { return size < 0; }))
    throw request_error("a value of shape {} cannot be seen as {}", shape_text(from), shape_text(wanted))
        .hint("write -1 or 0 for the batch: a file that was exported with a fixed batch cannot run with another one");
  return shape;
}

Kernel reshape_kernel(const Node& node) {
  return [node](Call& call) { call.out() = call.in(0).reshape(resolved_shape(node, shape_of(call.in(0)))); };
}

std::vector<ValueInfo> reshape_infer(const InferCall& call) {
  return {{.shape = resolved_shape(call.node, call.shape(0)), .type = call.in(0).type}};
}

/// Axes whose size is written out follow the number of channels that stay; 0 and -1 do so by themselves.
void reshape_resize(Node& node, const Resize& resize) {
  auto shape = node.attributes.integers("shape", {});
  for (int64_t axis = 0; axis < std::ssize(shape); ++axis)
    if (auto& size = shape[static_cast<size_t>(axis)]; size > 0)
      if (const auto count = resize.count_output(axis); count >= 0) size = count;
  node.attributes.set("shape", shape);
}

/// Without a 0 the attribute means nothing.
void drop_allowzero(Graph&, Node& node) {
  const auto shape = node.attributes.integers("shape", {});
  if (std::ranges::find(shape, 0) == shape.end()) node.attributes.erase("allowzero");
}

Shape flattened_shape(const Node& node, const Shape& from) {
  const auto rank = std::ssize(from);
  auto axis = node.attributes.integer("axis", 1);
  if (axis != rank) axis = axis_of(axis, rank);
  const auto sizes = std::span(from);
  return {elements(sizes.first(static_cast<size_t>(axis))), elements(sizes.subspan(static_cast<size_t>(axis)))};
}

Kernel flatten_kernel(const Node& node) {
  return [node](Call& call) { call.out() = call.in(0).reshape(flattened_shape(node, shape_of(call.in(0)))); };
}

std::vector<ValueInfo> flatten_infer(const InferCall& call) {
  return {{.shape = flattened_shape(call.node, call.shape(0)), .type = call.in(0).type}};
}

Op reshape_op() {
  return {.name = "Reshape",
          .doc = "the same elements in another shape; 0 copies a size, -1 is what is left",
          .since_opset = 5,
          .attributes = {{"allowzero", AttributeSpec::Type::integer}, {"shape", AttributeSpec::Type::integers, true}},
          .constant_inputs = {{.index = 1, .attribute = "shape", .since_opset = 5}},
          .kernel = reshape_kernel,
          .gradient = Gradient::yes,
          .infer = reshape_infer,
          .macs = no_macs,
          .channels = reshaped_channels,
          .resize = reshape_resize,
          .quantization = Quantization::same_grid,
          .normalize = drop_allowzero};
}

Op flatten_op() {
  return {.name = "Flatten",
          .doc = "two axes: those before `axis` and the rest",
          .attributes = {{"axis", AttributeSpec::Type::integer}},
          .kernel = flatten_kernel,
          .gradient = Gradient::yes,
          .infer = flatten_infer,
          .macs = no_macs,
          .channels = reshaped_channels,
          .resize = keep_attributes,
          .quantization = Quantization::same_grid};
}

}  // namespace

namespace families {
extern const OpFamily reshape{{reshape_op(), flatten_op()}};
}

}  // namespace compress::ops
