#include "analysis/layer_values.h"

#include "ops/op.h"

namespace compress::analysis {

namespace {

/// The only node that reads a value; null when there are none or several.
const Node* only_reader(const Graph& graph, const std::string& value) {
  const auto readers = graph.consumers(value);
  return readers.size() == 1 && !readers[0]->inputs.empty() && readers[0]->inputs[0] == value ? readers[0] : nullptr;
}

/// The Clip that a narrow grid's QuantizeLinear needs before it.
bool is_clip_of_quantizer(const Graph& graph, const Node& node) {
  if (node.op != "Clip" || !node.name.ends_with(".clip")) return false;
  const auto* reader = only_reader(graph, node.output());
  return reader != nullptr && reader->op == "QuantizeLinear";
}

bool is_quantizer(const Graph& graph, const Node& node) {
  return ops::op_of(node).quantization == ops::Quantization::quantizer || is_clip_of_quantizer(graph, node);
}

struct Read {
  std::string value;
  bool as_integers = false;
};

/// What is read of a value: follows quantisers as long as nothing else reads it.
Read behind_quantizers(const Graph& graph, std::string value) {
  for (Read read{value};;) {
    const auto* reader = only_reader(graph, value);
    if (reader == nullptr || !is_quantizer(graph, *reader)) return read;
    value = reader->output();
    if (reader->op == "FakeQuantize" || reader->op == "DequantizeLinear") read = {value};
    if (reader->op == "QuantizeLinear") read.as_integers = true;
  }
}

}  // namespace

std::vector<LayerValue> layer_values(const Graph& graph) {
  const auto infos = ops::infer(graph);
  std::vector<LayerValue> values;
  for (const auto& node : graph.nodes()) {
    if (is_quantizer(graph, node)) continue;
    for (int k = 0; k < node.outputs; ++k) {
      const auto* info = infos.find(node.output(k));
      if (info == nullptr || !at::isFloatingType(info->type) || info->shape.empty()) continue;
      auto [value, as_integers] = behind_quantizers(graph, node.output(k));
      values.push_back({node.output(k), node.op, std::move(value), as_integers, info->shape});
    }
  }
  return values;
}

}  // namespace compress::analysis
