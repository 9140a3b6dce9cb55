#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

namespace compress::ops {

namespace {

Shape repeats_of(const Node& node, size_t rank) {
  const auto repeats = node.attributes.integers("repeats", {});
  if (repeats.size() != rank)
    throw request_error("attribute 'repeats' has {} entries, but the input has {} axes", repeats.size(), rank);
  for (const auto count : repeats)
    if (count < 0) throw request_error("attribute 'repeats' is {}, but must not be negative", shape_text(repeats));
  return repeats;
}

Kernel tile_kernel(const Node& node) {
  return
      [node](Call& call) { call.out() = call.in(0).repeat(repeats_of(node, static_cast<size_t>(call.in(0).dim()))); };
}

std::vector<ValueInfo> tile_infer(const InferCall& call) {
  auto result = call.in(0);
  const auto repeats = repeats_of(call.node, result.shape.size());
  for (size_t axis = 0; axis < repeats.size(); ++axis)
    if (__builtin_mul_overflow(result.shape[axis], repeats[axis], &result.shape[axis]))
      throw request_error("shape {} cannot be repeated {} times", shape_text(call.shape(0)), shape_text(repeats));
  return {result};
}

/// Each channel stands in the output as often as it is repeated.
void tile_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto repeats = repeats_of(flow.node(), flow.shape(0).size());
  ChannelMap map(flow.map(0).size());
  for (size_t axis = 0; axis < map.size(); ++axis)
    for (int64_t k = 0; k < repeats[axis]; ++k)
      map[axis].insert(map[axis].end(), flow.map(0)[axis].begin(), flow.map(0)[axis].end());
  flow.set_output(std::move(map));
}

}  // namespace

namespace families {
extern const OpFamily tile{{{.name = "Tile",
                             .doc = "repeats the whole value along its axes",
                             .since_opset = 6,
                             .attributes = {{"repeats", AttributeSpec::Type::integers, true}},
                             .constant_inputs = {{.index = 1, .attribute = "repeats", .since_opset = 6}},
                             .kernel = tile_kernel,
                             .gradient = Gradient::yes,
                             .infer = tile_infer,
                             .macs = no_macs,
                             .channels = tile_channels,
                             .resize = keep_attributes,
                             .quantization = Quantization::same_grid}}};
}

}  // namespace compress::ops
