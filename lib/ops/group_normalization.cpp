#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/group_norm.h>
#include <ATen/ops/instance_norm.h>

/// Statistics of each sample: of one channel (InstanceNormalization), or of a group of channels.
namespace compress::ops {

namespace {

Kernel instance_normalization_kernel(const Node& node) {
  return [epsilon = node.attributes.number("epsilon", 1e-5)](Call& call) {
    call.out() = at::instance_norm(call.in(0), call.in(1), call.in(2), {}, {}, /*use_input_stats=*/true,
                                   /*momentum=*/0, epsilon, /*cudnn_enabled=*/true);
  };
}

void require_per_channel(const InferCall& call, size_t i, int64_t count) {
  if (call.shape(i) != Shape{count})
    throw request_error("input {} has shape {}, but the value has {} channels", i, shape_text(call.shape(i)),
                        call.shape(0)[1]);
}

std::vector<ValueInfo> instance_normalization_infer(const InferCall& call) {
  require_rank(call, 0, 3);
  for (size_t i = 1; i < 3; ++i) require_per_channel(call, i, call.shape(0)[1]);
  return {call.in(0)};
}

void instance_normalization_channels(ChannelFlow& flow) {
  block_other_axes(flow);
  for (size_t i = 1; i < 3; ++i) flow.bind(i, 0, flow.axis(0, 1));
  ChannelMap map(flow.output_shape().size());
  map[1] = flow.axis(0, 1);
  flow.set_output(std::move(map));
}

int64_t groups_of(const Node& node) {
  return node.attributes.integer("num_groups", 1);
}

Kernel group_normalization_kernel(const Node& node) {
  return [groups = groups_of(node), epsilon = node.attributes.number("epsilon", 1e-5)](Call& call) {
    call.out() = at::group_norm(call.in(0), groups, call.in(1), call.in(2), epsilon, /*cudnn_enabled=*/true);
  };
}

std::vector<ValueInfo> group_normalization_infer(const InferCall& call) {
  require_rank(call, 0, 3);
  const auto channels = call.shape(0)[1], groups = groups_of(call.node);
  if (groups < 1 || channels % groups != 0)
    throw request_error("{} channels do not make {} groups of equal size", channels, groups);
  for (size_t i = 1; i < 3; ++i) require_per_channel(call, i, channels);
  return {call.in(0)};
}

/// A group's statistics are those of all its channels: they go together, and with them the group.
void group_normalization_channels(ChannelFlow& flow) {
  block_other_axes(flow);
  const auto atoms = flow.axis(0, 1);
  const auto channels = flow.shape(0)[1], groups = groups_of(flow.node());
  if (groups == 1) flow.block(atoms, "all channels are normalised together");
  for (int64_t k = 0; k < std::ssize(atoms); ++k) {
    const auto first = k - k % (channels / groups);
    flow.unite({atoms[static_cast<size_t>(k)]}, {atoms[static_cast<size_t>(first)]});
  }
  for (size_t i = 1; i < 3; ++i) flow.bind(i, 0, atoms);
  ChannelMap map(flow.output_shape().size());
  map[1] = atoms;
  flow.set_output(std::move(map));
}

void group_normalization_resize(Node& node, const Resize& resize) {
  const auto before = std::ssize(resize.kept_input(0, 1));
  if (before == 0) return;
  node.attributes.set("num_groups", groups_of(node) * resize.count_input(0, 1) / before);
}

/// LibTorch's statistics of halves are 32-bit floats by themselves.
void drop_stash_type(Graph&, Node& node) {
  node.attributes.erase("stash_type");
}

Op group_normalization_op() {
  return {.name = "GroupNormalization",
          .doc = "normalises each group of channels of each sample; import widens the per-group scales before opset 21",
          .min_inputs = 3,
          .max_inputs = 3,
          .since_opset = 21,
          .attributes = {{"epsilon", AttributeSpec::Type::number},
                         {"num_groups", AttributeSpec::Type::integer, true},
                         {"stash_type", AttributeSpec::Type::integer}},
          .kernel = group_normalization_kernel,
          .gradient = Gradient::yes,
          .infer = group_normalization_infer,
          .macs = no_macs,
          .channels = group_normalization_channels,
          .resize = group_normalization_resize,
          .quantization = Quantization::none,
          .normalize = drop_stash_type};
}

Op instance_normalization_op() {
  return {.name = "InstanceNormalization",
          .doc = "normalises each channel of each sample",
          .min_inputs = 3,
          .max_inputs = 3,
          .since_opset = 6,
          .attributes = {{"epsilon", AttributeSpec::Type::number}},
          .kernel = instance_normalization_kernel,
          .gradient = Gradient::yes,
          .infer = instance_normalization_infer,
          .macs = no_macs,
          .channels = instance_normalization_channels,
          .resize = keep_attributes,
          .quantization = Quantization::none};
}

}  // namespace

namespace families {
extern const OpFamily group_normalization{{group_normalization_op(), instance_normalization_op()}};
}

}  // namespace compress::ops
