#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/where.h>

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
    const auto indices = call.in(1).to(at::kLong);
    const auto positions = at::where(indices.lt(0), indices.add(data.size(axis)), indices);
    call.out() =
        data.index_select(axis, positions.flatten()).reshape(gathered_shape(shape_of(data), shape_of(indices), axis));
  };
}

std::vector<ValueInfo> gather_infer(const InferCall& call) {
  const auto axis = gather_axis(call.node, call.shape(0).size());
  return {{.shape = gathered_shape(call.shape(0), call.shape(1), axis), .type = call.in(0).type}};
}

void gather_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto axis = static_cast<size_t>(gather_axis(flow.node(), flow.shape(0).size()));
  flow.block(flow.map(0)[axis], "channels are picked by index");
  ChannelMap map(flow.map(0).begin(), flow.map(0).begin() + static_cast<int64_t>(axis));
  map.resize(axis + flow.shape(1).size());
  map.insert(map.end(), flow.map(0).begin() + static_cast<int64_t>(axis) + 1, flow.map(0).end());
  flow.set_output(std::move(map));
}

}  // namespace

namespace families {
extern const OpFamily gather{{{.name = "Gather",
                               .doc = "picks indices along an axis",
                               .min_inputs = 2,
                               .max_inputs = 2,
                               .attributes = {{"axis", AttributeSpec::Type::integer}},
                               .kernel = gather_kernel,
                               .gradient = Gradient::yes,
                               .infer = gather_infer,
                               .macs = no_macs,
                               .channels = gather_channels,
                               .resize = keep_attributes,
                               .quantization = Quantization::same_grid}}};
}

}  // namespace compress::ops
