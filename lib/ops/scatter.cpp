#include "core/text.h"
#include "ops/indices.h"
#include "ops/shape.h"

#include <ATen/ops/scatter_reduce.h>

namespace compress::ops {

namespace {

/// LibTorch's word for ONNX's reduction; "" when values replace what is there.
std::string reduction_of(const Node& node) {
  const auto word = node.attributes.text("reduction", "none");
  if (word == "add") return "sum";
  if (word == "mul") return "prod";
  if (word == "max") return "amax";
  return word == "min" ? "amin" : "";
}

at::Tensor scattered(const at::Tensor& data,
                     int64_t axis,
                     const at::Tensor& indices,
                     const at::Tensor& updates,
                     const std::string& reduction) {
  if (reduction.empty()) return data.scatter(axis, indices, updates);
  return data.scatter_reduce(axis, indices, updates, reduction, /*include_self=*/true);
}

int64_t scatter_axis(const Node& node, const Shape& data) {
  return axis_of(node.attributes.integer("axis", 0), std::ssize(data));
}

Kernel scatter_elements_kernel(const Node& node) {
  return [node, reduction = reduction_of(node)](Call& call) {
    const auto axis = scatter_axis(node, shape_of(call.in(0)));
    const auto indices = indices_within(call.in(1), call.in(0).size(axis));
    call.out() = scattered(call.in(0), axis, indices, call.in(2), reduction);
  };
}

std::vector<ValueInfo> scatter_elements_infer(const InferCall& call) {
  require_indices(call, 1);
  const auto &data = call.shape(0), &indices = call.shape(1);
  const auto axis = static_cast<size_t>(scatter_axis(call.node, data));
  bool fits = data.size() == indices.size() && indices == call.shape(2);
  for (size_t i = 0; fits && i < data.size(); ++i) fits = i == axis || indices[i] <= data[i];
  if (!fits)
    throw request_error("indices and updates of shapes {} and {} do not fit data of shape {}", shape_text(indices),
                        shape_text(call.shape(2)), shape_text(data))
        .hint("both have one shape, as many axes as the data, and along none but 'axis' are they longer");
  return {call.in(0)};
}

void scatter_elements_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto axis = scatter_axis(flow.node(), flow.shape(0));
  for (int64_t i = 0; i < std::ssize(flow.shape(0)); ++i) {
    const auto& atoms = flow.axis(0, i);
    const bool follows = i != axis && flow.shape(0)[static_cast<size_t>(i)] == flow.shape(1)[static_cast<size_t>(i)];
    if (!follows) flow.block(atoms, "channels are written by index");
    for (const size_t input : {1, 2}) flow.bind(input, i, follows ? atoms : Atoms{});
  }
  flow.set_output(flow.map(0));
}

/// The axes of the data that the indices of ScatterND count.
int64_t indexed_axes(const Shape& data, const Shape& indices, const Shape& updates) {
  const auto depth = indices.empty() ? -1 : indices.back();
  bool fits = depth >= 1 && depth <= std::ssize(data);
  if (fits) {
    Shape expected(indices.begin(), indices.end() - 1);
    expected.insert(expected.end(), data.begin() + depth, data.end());
    fits = expected == updates;
  }
  if (!fits)
    throw request_error("indices and updates of shapes {} and {} do not fit data of shape {}", shape_text(indices),
                        shape_text(updates), shape_text(data))
        .hint("the last axis of the indices counts the first axes of the data; the updates have the indices' other "
              "axes, then the data's");
  return depth;
}

Kernel scatter_nd_kernel(const Node& node) {
  return [reduction = reduction_of(node)](Call& call) {
    const auto shape = shape_of(call.in(0));
    const auto depth = indexed_axes(shape, shape_of(call.in(1)), shape_of(call.in(2)));
    const auto sizes = std::span(shape);
    const auto picked = sizes.first(static_cast<size_t>(depth)), rest = sizes.subspan(static_cast<size_t>(depth));
    const auto rows = joined_indices(call.in(1), picked).reshape({-1, 1});
    const auto updates = call.in(2).reshape({rows.size(0), elements(rest)});
    const auto data = call.in(0).reshape({elements(picked), elements(rest)});
    call.out() = scattered(data, 0, rows.expand_as(updates), updates, reduction).reshape(shape);
  };
}

std::vector<ValueInfo> scatter_nd_infer(const InferCall& call) {
  require_indices(call, 1);
  indexed_axes(call.shape(0), call.shape(1), call.shape(2));
  return {call.in(0)};
}

void scatter_nd_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto depth = indexed_axes(flow.shape(0), flow.shape(1), flow.shape(2));
  const auto lists = std::ssize(flow.shape(1)) - 1;  // axes of the updates before the data's
  block_all_axes(flow, 1, "these are indices");
  for (int64_t axis = 0; axis < depth; ++axis) flow.block(flow.axis(0, axis), "channels are written by index");
  for (int64_t axis = 0; axis < lists; ++axis) flow.bind(2, axis, {});
  for (auto axis = depth; axis < std::ssize(flow.shape(0)); ++axis)
    flow.bind(2, lists + axis - depth, flow.axis(0, axis));
  flow.set_output(flow.map(0));
}

/// Its name before opset 11.
void rename_scatter(Graph& graph, Node& node) {
  node.op = "ScatterElements";
  graph.touch();
}

Op scatter_op(std::string_view name, std::string_view doc) {
  using enum AttributeSpec::Type;
  return {.name = name,
          .doc = doc,
          .min_inputs = 3,
          .max_inputs = 3,
          .since_opset = 11,
          .attributes = {{"axis", integer}, {"reduction", text, false, "none|add|mul|max|min"}},
          .kernel = scatter_elements_kernel,
          .gradient = Gradient::yes,
          .infer = scatter_elements_infer,
          .macs = no_macs,
          .channels = scatter_elements_channels,
          .resize = keep_attributes,
          .quantization = Quantization::none};
}

Op old_scatter_op() {
  auto op = scatter_op("Scatter", "the old name of ScatterElements");
  op.since_opset = 9;
  op.attributes.pop_back();
  op.normalize = rename_scatter;
  return op;
}

Op scatter_nd_op() {
  auto op = scatter_op("ScatterND", "writes elements or slices at lists of indices");
  op.attributes.erase(op.attributes.begin());
  op.kernel = scatter_nd_kernel;
  op.infer = scatter_nd_infer;
  op.channels = scatter_nd_channels;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily scatter{{scatter_op("ScatterElements", "writes one element along an axis for each index"),
                               old_scatter_op(), scatter_nd_op()}};
}

}  // namespace compress::ops
