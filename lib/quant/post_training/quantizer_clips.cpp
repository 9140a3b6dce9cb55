#include "quant/post_training/quantizer_clips.h"

#include "ops/op.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

namespace compress::quant {

namespace {

bool is_fixed_integer(const Node& node) {
  if (node.op != "FakeQuantize" || node.attributes.text("method", "fixed") != "fixed") return false;
  const auto spec = ops::grid_spec(node);
  return spec.is_integer() && spec.bits <= 16;
}

QuantizerClip::Role role_of(const Graph& graph, const Node& quantizer) {
  if (graph.find_parameter(quantizer.inputs[0]) == nullptr) return QuantizerClip::Role::activation;
  const auto reads_as_bias = [&](const Node* reader) {
    const auto& op = ops::op_of(*reader);
    return op.quantization == ops::Quantization::weighted && op.bias_input >= 0 &&
           reader->has_input(static_cast<size_t>(op.bias_input)) &&
           reader->inputs[static_cast<size_t>(op.bias_input)] == quantizer.name;
  };
  const auto readers = graph.consumers(quantizer.name);
  return std::ranges::any_of(readers, reads_as_bias) ? QuantizerClip::Role::bias : QuantizerClip::Role::weight;
}

/// How many steps the greatest value is from 0 on a symmetric grid, as ops::make_grid has it.
double steps_to_end(const ops::GridSpec& spec) {
  if (!spec.is_signed || spec.narrow) return static_cast<double>(spec.high());
  return static_cast<double>((int64_t{1} << spec.bits) - 1) / 2;
}

}  // namespace

std::vector<QuantizerClip> quantizer_clips(const Graph& graph) {
  std::vector<QuantizerClip> clips;
  for (const Node& node : graph.nodes()) {
    if (!is_fixed_integer(node)) continue;
    const auto shared = std::ranges::find(clips, node.inputs[1], &QuantizerClip::scale);
    if (shared != clips.end()) {
      shared->nodes.push_back(node.name);
      continue;
    }
    clips.push_back({.nodes = {node.name},
                     .input = node.inputs[0],
                     .scale = node.inputs[1],
                     .zero_point = node.inputs[2],
                     .role = role_of(graph, node),
                     .spec = ops::grid_spec(node),
                     .axes = ops::grid_axes(node)});
  }
  return clips;
}

ops::ValueRange clip_range(const Graph& graph, const QuantizerClip& clip) {
  const at::NoGradGuard no_grad;
  const auto& scale = graph.parameter(clip.scale).value;
  if (clip.spec.symmetric) {
    const auto reach = scale.mul(steps_to_end(clip.spec));
    return {clip.spec.is_signed ? reach.neg() : at::zeros_like(reach), reach};
  }
  const auto zero_point = graph.parameter(clip.zero_point).value.to(scale.scalar_type());
  const auto end = [&](int64_t code) { return zero_point.neg().add_(static_cast<double>(code)).mul_(scale); };
  return {end(clip.spec.low()), end(clip.spec.high())};
}

void set_clip_range(Graph& graph, const QuantizerClip& clip, const ops::ValueRange& range) {
  ops::write_grid(ops::make_grid(range.min, range.max, clip.spec), graph.writable(clip.scale),
                  graph.writable(clip.zero_point));
}

}  // namespace compress::quant
