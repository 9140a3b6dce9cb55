#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rsqrt.h>

#include <algorithm>

/// Statistics over all axes from one on.
namespace compress::ops {

namespace {

int64_t first_normalized_axis(const Node& node, size_t rank) {
  return axis_of(node.attributes.integer("axis", -1), static_cast<int64_t>(rank));
}

/// The element type of the statistics; LibTorch computes halves in 32 bits by itself.
at::ScalarType stash_type(const Node& node) {
  return element_type(node.attributes.integer("stash_type", 1));
}

Shape normalized_shape(const Node& node, const Shape& shape) {
  return {shape.begin() + first_normalized_axis(node, shape.size()), shape.end()};
}

Shape normalized_axes(const Node& node, const at::Tensor& x) {
  Shape axes;
  for (auto axis = first_normalized_axis(node, shape_of(x).size()); axis < x.dim(); ++axis) axes.push_back(axis);
  return axes;
}

/// With the statistics as outputs, step by step: LibTorch's own have no gradient.
void normalize_with_statistics(Call& call, const Shape& axes, double epsilon, at::ScalarType stash) {
  const auto& x = call.in(0);
  const auto wide = x.scalar_type() == at::kDouble ? x : x.to(stash);
  const auto mean = wide.mean(axes, /*keepdim=*/true), centred = wide.sub(mean);
  const auto inverse = centred.mul(centred).mean(axes, /*keepdim=*/true).add(epsilon).rsqrt();
  const auto y = centred.mul(inverse).to(x.scalar_type()).mul(call.in(1));
  call.out() = call.has(2) ? y.add(call.in(2)) : y;
  call.out(1) = mean.to(stash);
  if (call.outputs.size() > 2) call.out(2) = inverse.to(stash);
}

Kernel layer_normalization_kernel(const Node& node) {
  return [node, epsilon = node.attributes.number("epsilon", 1e-5), stash = stash_type(node)](Call& call) {
    const auto& x = call.in(0);
    if (call.outputs.size() > 1) return normalize_with_statistics(call, normalized_axes(node, x), epsilon, stash);
    const auto normalized = normalized_shape(node, shape_of(x));
    const auto whole = [&](const at::Tensor& values) { return values.defined() ? values.expand(normalized) : values; };
    call.out() = at::layer_norm(x, normalized, whole(call.in(1)), whole(call.in_or_none(2)), epsilon);
  };
}

/// Scale and bias broadcast to the normalised axes.
void check_normalized(const InferCall& call, size_t i) {
  if (!call.has(i)) return;
  const auto normalized = normalized_shape(call.node, call.shape(0));
  bool fits = call.shape(i).size() <= normalized.size();
  for (size_t k = 1; fits && k <= call.shape(i).size(); ++k) {
    const auto size = call.shape(i)[call.shape(i).size() - k];
    fits = size == 1 || size == normalized[normalized.size() - k];
  }
  if (!fits)
    throw request_error("input {} has shape {}, but the normalised axes have {}", i, shape_text(call.shape(i)),
                        shape_text(normalized));
}

std::vector<ValueInfo> layer_normalization_infer(const InferCall& call) {
  require_rank(call, 0, 1);
  check_normalized(call, 1);
  check_normalized(call, 2);
  std::vector<ValueInfo> results{call.in(0)};
  auto statistics = call.shape(0);
  const auto axis = first_normalized_axis(call.node, statistics.size());
  std::fill(statistics.begin() + axis, statistics.end(), 1);
  for (int k = 1; k < call.node.outputs; ++k) results.push_back({.shape = statistics, .type = stash_type(call.node)});
  return results;
}

/// Channels may run along the axes before; those that are normalised influence each other.
void layer_normalization_channels(ChannelFlow& flow) {
  const auto rank = std::ssize(flow.shape(0));
  const auto first = first_normalized_axis(flow.node(), flow.shape(0).size());
  for (auto axis = first; axis < rank; ++axis) flow.block(flow.axis(0, axis), "all channels are normalised together");
  for (size_t i = 1; i < flow.inputs(); ++i) {
    if (!flow.has(i)) continue;
    const auto own = std::ssize(flow.shape(i));
    for (int64_t axis = 0; axis < own; ++axis) {
      const auto of_value = rank - own + axis;
      const bool same = flow.shape(i)[static_cast<size_t>(axis)] == flow.shape(0)[static_cast<size_t>(of_value)];
      flow.bind(i, axis, same ? flow.axis(0, of_value) : Atoms{});
    }
  }
  auto map = flow.map(0);
  flow.set_output(map);
  for (auto axis = first; axis < rank; ++axis) map[static_cast<size_t>(axis)].clear();
  for (size_t k = 1; k < flow.output_maps().size(); ++k) flow.set_output(map, k);
}

Kernel rms_normalization_kernel(const Node& node) {
  return [node, epsilon = node.attributes.number("epsilon", 1e-5), stash = stash_type(node)](Call& call) {
    const auto& x = call.in(0);
    const auto wide = x.scalar_type() == at::kDouble ? x : x.to(stash);
    const auto inverse = wide.mul(wide).mean(normalized_axes(node, x), /*keepdim=*/true).add(epsilon).rsqrt();
    call.out() = wide.mul(inverse).to(x.scalar_type()).mul(call.in(1));
  };
}

std::vector<AttributeSpec> normalization_attributes() {
  using enum AttributeSpec::Type;
  return {{"axis", integer}, {"epsilon", number}, {"stash_type", integer}};
}

Op layer_normalization_op() {
  return {.name = "LayerNormalization",
          .doc = "normalises over all axes from `axis` on",
          .min_inputs = 2,
          .max_inputs = 3,
          .max_outputs = 3,
          .since_opset = 17,
          .attributes = normalization_attributes(),
          .kernel = layer_normalization_kernel,
          .gradient = Gradient::yes,
          .infer = layer_normalization_infer,
          .macs = no_macs,
          .channels = layer_normalization_channels,
          .resize = keep_attributes,
          .quantization = Quantization::none};
}

Op rms_normalization_op() {
  auto op = layer_normalization_op();
  op.name = "RMSNormalization";
  op.doc = "divides by the root of the mean square over all axes from `axis` on";
  op.max_inputs = 2;
  op.max_outputs = 1;
  op.since_opset = 23;
  op.kernel = rms_normalization_kernel;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily layer_normalization{{layer_normalization_op(), rms_normalization_op()}};
}

}  // namespace compress::ops
