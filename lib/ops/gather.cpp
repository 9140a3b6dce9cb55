#include "ops/indices.h"
#include "ops/shape.h"

#include <algorithm>
#include <limits>

namespace compress::ops {

namespace {

int64_t gather_axis(const Node& node, size_t rank) {
  return axis_of(node.attributes.integer("axis", 0), static_cast<int64_t>(rank));
}

Shape gathered_shape(const Shape& data, const Shape& indices, int64_t axis) {
  Shape shape(data.begin(), data.begin() + axis);
  shape.insert(shape.end(), indices.begin(), indices.end());
  shape.insert(shape.end(), data.begin() + axis + 1, data.end());
  return shape;
}

Kernel gather_kernel(const Node& node) {
  return [node](Call& call) {
    const auto& data = call.in(0);
    const auto axis = gather_axis(node, static_cast<size_t>(data.dim()));
    const auto positions = indices_within(call.in(1), data.size(axis)).flatten();
    call.out() = data.index_select(axis, positions).reshape(gathered_shape(shape_of(data), shape_of(call.in(1)), axis));
  };
}

std::vector<ValueInfo> gather_infer(const InferCall& call) {
  require_indices(call, 1);
  const auto axis = gather_axis(call.node, call.shape(0).size());
  return {{.shape = gathered_shape(call.shape(0), call.shape(1), axis), .type = call.in(0).type}};
}

/// The columns of an embedding's table [words, features] are output channels, its rows are none.
void follow_table(ChannelFlow& flow, int64_t axis) {
  const auto rank = std::ssize(flow.shape(0));
  for (int64_t other = 0; other < rank; ++other) {
    const bool features = rank == 2 && axis == 0 && other == 1;
    const auto atoms = flow.own_axis(0, other);
    if (!features) flow.block(atoms, other == axis ? "rows are picked by index" : "a parameter runs through it");
  }
}

void gather_channels(ChannelFlow& flow) {
  const auto axis = gather_axis(flow.node(), flow.shape(0).size());
  if (flow.is_parameter(0)) follow_table(flow, axis);
  flow.block(flow.axis(0, axis), "channels are picked by index");
  block_all_axes(flow, 1, "these are indices");
  ChannelMap map(flow.map(0).begin(), flow.map(0).begin() + axis);
  map.resize(static_cast<size_t>(axis) + flow.shape(1).size());
  map.insert(map.end(), flow.map(0).begin() + axis + 1, flow.map(0).end());
  flow.set_output(std::move(map));
}

/// Indices at one distance, all counted from the same end, are a Slice, through which channels can be followed.
void become_slice(Graph& graph, Node& node) {
  const auto* indices = graph.find_parameter(node.inputs[1]);
  if (!indices || graph.find_parameter(node.inputs[0]) || indices->value.dim() != 1 || indices->value.numel() == 0)
    return;
  const auto list = indices->value.to(at::kCPU, at::kLong).contiguous();
  const std::span all(list.const_data_ptr<int64_t>(), static_cast<size_t>(list.numel()));
  const auto step = all.size() > 1 ? all[1] - all[0] : 1;
  const auto irregular = [&](int64_t a, int64_t b) { return b - a != step; };
  if (step == 0 || (all.front() < 0) != (all.back() < 0) || std::ranges::adjacent_find(all, irregular) != all.end())
    return;
  // Behind the last index: past either end of the axis there is no index to name.
  auto end = all.back() + (step > 0 ? 1 : -1);
  if (step > 0 && all.back() == -1) end = std::numeric_limits<int64_t>::max();
  if (step < 0 && all.back() == 0) end = std::numeric_limits<int64_t>::min();
  const auto axis = node.attributes.integer("axis", 0);
  node.op = "Slice";
  node.inputs.pop_back();
  node.attributes = {};
  node.attributes.set("starts", Shape{all.front()});
  node.attributes.set("ends", Shape{end});
  node.attributes.set("axes", Shape{axis});
  if (step != 1) node.attributes.set("steps", Shape{step});
  graph.touch();
}

}  // namespace

namespace families {
extern const OpFamily gather{{{.name = "Gather",
                               .doc = "picks indices along an axis; of a parameter [words, features] an embedding",
                               .min_inputs = 2,
                               .max_inputs = 2,
                               .attributes = {{"axis", AttributeSpec::Type::integer}},
                               .kernel = gather_kernel,
                               .gradient = Gradient::yes,
                               .infer = gather_infer,
                               .macs = no_macs,
                               .channels = gather_channels,
                               .resize = keep_attributes,
                               .quantization = Quantization::same_grid,
                               .normalize = become_slice}}};
}

}  // namespace compress::ops
