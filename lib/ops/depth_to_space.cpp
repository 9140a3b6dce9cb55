#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/shape.h"

namespace compress::ops {

namespace {

int64_t block_size(const Node& node) {
  return node.attributes.integer("blocksize", 1);
}

/// Whether the position in the block is counted behind the channel (CRD) rather than before it (DCR).
bool column_row_depth(const Node& node) {
  return node.attributes.text("mode", "DCR") == "CRD";
}

Kernel depth_to_space_kernel(const Node& node) {
  return [b = block_size(node), crd = column_row_depth(node)](Call& call) {
    const auto& x = call.in(0);
    const auto n = x.size(0), c = x.size(1) / (b * b), h = x.size(2), w = x.size(3);
    const auto parts = crd ? x.reshape({n, c, b, b, h, w}).permute({0, 1, 4, 2, 5, 3})
                           : x.reshape({n, b, b, c, h, w}).permute({0, 3, 4, 1, 5, 2});
    call.out() = parts.reshape({n, c, h * b, w * b});
  };
}

Kernel space_to_depth_kernel(const Node& node) {
  return [b = block_size(node), crd = column_row_depth(node)](Call& call) {
    const auto& x = call.in(0);
    const auto n = x.size(0), c = x.size(1), h = x.size(2) / b, w = x.size(3) / b;
    const auto parts = x.reshape({n, c, h, b, w, b});
    const auto moved = crd ? parts.permute({0, 1, 3, 5, 2, 4}) : parts.permute({0, 3, 5, 1, 2, 4});
    call.out() = moved.reshape({n, c * b * b, h, w});
  };
}

Shape image_shape(const InferCall& call) {
  if (call.shape(0).size() != 4)
    throw request_error("a value of shape {} is no image: it needs 4 axes", shape_text(call.shape(0)));
  if (block_size(call.node) < 1) throw request_error("attribute 'blocksize' must be at least 1");
  return call.shape(0);
}

std::vector<ValueInfo> depth_to_space_infer(const InferCall& call) {
  auto shape = image_shape(call);
  const auto b = block_size(call.node);
  if (shape[1] % (b * b) != 0) throw request_error("{} channels do not make blocks of {} times {}", shape[1], b, b);
  shape[1] /= b * b;
  shape[2] *= b;
  shape[3] *= b;
  return {{.shape = std::move(shape), .type = call.in(0).type}};
}

std::vector<ValueInfo> space_to_depth_infer(const InferCall& call) {
  auto shape = image_shape(call);
  const auto b = block_size(call.node);
  if (shape[2] % b != 0 || shape[3] % b != 0)
    throw request_error("an image of {} times {} does not make blocks of {} times {}", shape[2], shape[3], b, b);
  shape[1] *= b * b;
  shape[2] /= b;
  shape[3] /= b;
  return {{.shape = std::move(shape), .type = call.in(0).type}};
}

/// The channels that become one channel's block of pixels live and die together.
void depth_to_space_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  block_other_axes(flow);
  const auto& atoms = flow.axis(0, 1);
  const auto block = block_size(flow.node()) * block_size(flow.node());
  const auto count = std::ssize(atoms) / block;
  Atoms outputs;
  for (int64_t c = 0; c < count; ++c) {
    const auto input = [&](int64_t k) {
      return atoms[static_cast<size_t>(column_row_depth(flow.node()) ? c * block + k : k * count + c)];
    };
    for (int64_t k = 1; k < block; ++k) flow.unite({input(k)}, {input(0)});
    outputs.push_back(input(0));
  }
  ChannelMap map(flow.output_shape().size());
  map[1] = std::move(outputs);
  flow.set_output(std::move(map));
}

/// Each channel stands once in each position of the block.
void space_to_depth_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  block_other_axes(flow);
  const auto& atoms = flow.axis(0, 1);
  const auto block = block_size(flow.node()) * block_size(flow.node()), count = std::ssize(atoms);
  ChannelMap map(flow.output_shape().size());
  for (int64_t k = 0; k < block * count; ++k)
    map[1].push_back(atoms[static_cast<size_t>(column_row_depth(flow.node()) ? k / block : k % count)]);
  flow.set_output(std::move(map));
}

Op space_to_depth_op() {
  return {.name = "SpaceToDepth",
          .doc = "blocks of pixels become channels",
          .attributes = {{"blocksize", AttributeSpec::Type::integer, true},
                         {"mode", AttributeSpec::Type::text, false, "DCR|CRD"}},
          .kernel = space_to_depth_kernel,
          .gradient = Gradient::yes,
          .infer = space_to_depth_infer,
          .macs = no_macs,
          .channels = space_to_depth_channels,
          .resize = keep_attributes,
          .quantization = Quantization::same_grid};
}

Op depth_to_space_op() {
  auto op = space_to_depth_op();
  op.name = "DepthToSpace";
  op.doc = "channels become blocks of pixels";
  op.kernel = depth_to_space_kernel;
  op.infer = depth_to_space_infer;
  op.channels = depth_to_space_channels;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily depth_to_space{{space_to_depth_op(), depth_to_space_op()}};
}

}  // namespace compress::ops
