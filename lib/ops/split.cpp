#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

namespace compress::ops {

namespace {

int64_t split_axis(const Node& node, size_t rank) {
  return axis_of(node.attributes.integer("axis", 0), static_cast<int64_t>(rank));
}

/// The size of each part; without `split` all are equal, the last may be smaller.
Shape part_sizes(const Node& node, int64_t size) {
  const auto stated = node.attributes.integers("split", {});
  if (!stated.empty()) {
    int64_t sum = 0;
    for (const auto part : stated) sum += part;
    if (std::ssize(stated) != node.outputs || sum != size)
      throw request_error("parts {} do not split an axis of size {} into {} outputs", shape_text(stated), size,
                          node.outputs);
    return stated;
  }
  const auto part = (size + node.outputs - 1) / node.outputs;
  Shape parts(static_cast<size_t>(node.outputs), part);
  parts.back() = size - part * (node.outputs - 1);
  if (parts.back() < 0) throw request_error("an axis of size {} cannot be split into {} outputs", size, node.outputs);
  return parts;
}

Kernel split_kernel(const Node& node) {
  return [node](Call& call) {
    const auto& x = call.in(0);
    const auto axis = split_axis(node, static_cast<size_t>(x.dim()));
    int64_t start = 0;
    size_t k = 0;
    for (const auto size : part_sizes(node, x.size(axis))) {
      call.out(k++) = x.narrow(axis, start, size);
      start += size;
    }
  };
}

std::vector<ValueInfo> split_infer(const InferCall& call) {
  const auto axis = static_cast<size_t>(split_axis(call.node, call.shape(0).size()));
  std::vector<ValueInfo> results;
  for (const auto size : part_sizes(call.node, call.shape(0)[axis])) {
    results.push_back(call.in(0));
    results.back().shape[axis] = size;
  }
  return results;
}

void split_channels_of_parts(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto axis = static_cast<size_t>(split_axis(flow.node(), flow.shape(0).size()));
  const auto atoms = flow.map(0)[axis];
  auto first = atoms.begin();
  size_t k = 0;
  for (const auto size : part_sizes(flow.node(), flow.shape(0)[axis])) {
    auto map = flow.map(0);
    if (!atoms.empty()) {
      map[axis].assign(first, first + size);
      first += size;
    }
    flow.set_output(std::move(map), k++);
  }
}

void split_resize(Node& node, const Resize& resize) {
  const auto axis = split_axis(node, static_cast<size_t>(resize.axes_of_output()));
  if (resize.kept_output(axis).empty() && resize.kept_input(0, axis).empty()) return;
  Shape parts;
  for (int k = 0; k < node.outputs; ++k)
    parts.push_back(std::max<int64_t>(0, resize.count_output(axis, static_cast<size_t>(k))));
  node.attributes.set("split", parts);
}

/// The node knows its number of outputs.
void drop_num_outputs(Graph&, Node& node) {
  node.attributes.erase("num_outputs");
}

}  // namespace

namespace families {
extern const OpFamily split{
    {{.name = "Split",
      .doc = "cuts an axis into parts",
      .max_outputs = -1,
      .since_opset = 2,
      .attributes = {{"axis", AttributeSpec::Type::integer}, {"split", AttributeSpec::Type::integers}},
      .constant_inputs = {{.index = 1, .attribute = "split", .since_opset = 13}},
      .kernel = split_kernel,
      .gradient = Gradient::yes,
      .infer = split_infer,
      .macs = no_macs,
      .channels = split_channels_of_parts,
      .resize = split_resize,
      .quantization = Quantization::same_grid,
      .normalize = drop_num_outputs}}};
}

}  // namespace compress::ops
