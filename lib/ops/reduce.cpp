#include "ops/channels.h"
#include "ops/shape.h"

#include <algorithm>

namespace compress::ops {

namespace {

bool keeps_axes(const Node& node) {
  return node.attributes.integer("keepdims", 1) != 0;
}

/// The reduced axes, ascending; all when none is stated.
Shape reduced_axes(const Node& node, int64_t rank) {
  auto axes = axes_of(node.attributes.integers("axes", {}), rank);
  if (axes.empty() && node.attributes.integer("noop_with_empty_axes", 0) == 0)
    for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  std::ranges::sort(axes);
  return axes;
}

using ReduceFunction = at::Tensor (*)(const at::Tensor&, at::IntArrayRef axes, bool keep);

template <ReduceFunction function>
Kernel reduce_kernel(const Node& node) {
  return [node](Call& call) {
    const auto& x = call.in(0);
    const auto axes = reduced_axes(node, x.dim());
    call.out() = axes.empty() ? x : function(x, axes, keeps_axes(node));
  };
}

at::Tensor mean(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  return x.mean(axes, keep);
}
at::Tensor sum(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  return x.sum(axes, keep);
}
at::Tensor maximum(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  return x.amax(axes, keep);
}

std::vector<ValueInfo> reduce_infer(const InferCall& call) {
  const auto axes = reduced_axes(call.node, std::ssize(call.shape(0)));
  ValueInfo result{.shape = {}, .type = call.in(0).type};
  for (int64_t axis = 0; axis < std::ssize(call.shape(0)); ++axis) {
    if (!std::ranges::binary_search(axes, axis))
      result.shape.push_back(call.shape(0)[static_cast<size_t>(axis)]);
    else if (keeps_axes(call.node))
      result.shape.push_back(1);
  }
  return {result};
}

void reduce_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto axes = reduced_axes(flow.node(), std::ssize(flow.shape(0)));
  ChannelMap map;
  for (int64_t axis = 0; axis < std::ssize(flow.shape(0)); ++axis) {
    const auto& atoms = flow.axis(0, axis);
    const bool reduced = std::ranges::binary_search(axes, axis);
    if (reduced) flow.block(atoms, "channels are reduced to one number");
    if (!reduced || keeps_axes(flow.node())) map.push_back(reduced ? Atoms{} : atoms);
  }
  flow.set_output(std::move(map));
}

Op reduce_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&), int axes_are_input_since) {
  return {.name = name,
          .doc = doc,
          .attributes = {{"axes", AttributeSpec::Type::integers},
                         {"keepdims", AttributeSpec::Type::integer},
                         {"noop_with_empty_axes", AttributeSpec::Type::integer}},
          .constant_inputs = {{.index = 1, .attribute = "axes", .since_opset = axes_are_input_since}},
          .kernel = kernel,
          .gradient = Gradient::yes,
          .infer = reduce_infer,
          .macs = no_macs,
          .channels = reduce_channels,
          .resize = keep_attributes,
          .quantization = Quantization::arithmetic};
}

Op reduce_max_op() {
  auto op = reduce_op("ReduceMax", "maximum over axes", reduce_kernel<maximum>, 18);
  op.quantization = Quantization::same_grid;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily reduce{{reduce_op("ReduceMean", "mean over axes", reduce_kernel<mean>, 18),
                              reduce_op("ReduceSum", "sum over axes", reduce_kernel<sum>, 13), reduce_max_op()}};
}

}  // namespace compress::ops
