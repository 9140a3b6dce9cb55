#include "quant/post_training/quantizer_clips.h"

#include "quant/insertion/quantizer_node.h"

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
  return read_as_bias(graph, quantizer) ? QuantizerClip::Role::bias : QuantizerClip::Role::weight;
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
  return ops::grid_range({graph.parameter(clip.scale).value, graph.parameter(clip.zero_point).value}, clip.spec);
}

void set_clip_range(Graph& graph, const QuantizerClip& clip, const ops::ValueRange& range) {
  ops::write_grid(ops::make_grid(range.min, range.max, clip.spec), graph.writable(clip.scale),
                  graph.writable(clip.zero_point));
}

}  // namespace compress::quant
