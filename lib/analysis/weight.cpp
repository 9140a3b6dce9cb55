#include "analysis/weight.h"

#include "ops/op.h"

#include <algorithm>
#include <set>

namespace compress::analysis {

const Parameter* parameter_behind(const Graph& graph, const std::string& input) {
  if (const Parameter* parameter = graph.find_parameter(input)) return parameter;
  const Node* producer = graph.producer(input);
  if (!producer || producer->inputs.empty() || ops::op_of(*producer).quantization != ops::Quantization::quantizer)
    return nullptr;
  return parameter_behind(graph, producer->inputs.front());
}

const Parameter* weight_of(const Graph& graph, const Node& node) {
  const int input = ops::op_of(node).weight_input;
  return input >= 0 && node.has_input(static_cast<size_t>(input))
             ? parameter_behind(graph, node.inputs[static_cast<size_t>(input)])
             : nullptr;
}

bool is_parameter_quantizer(const Graph& graph, const Node& node) {
  return ops::op_of(node).quantization == ops::Quantization::quantizer && parameter_behind(graph, node.output());
}

std::vector<const Parameter*> learned_parameters(const Graph& graph) {
  std::set<const Parameter*> weights;
  for (const Node& node : graph.nodes()) {
    if (const Parameter* weight = weight_of(graph, node)) weights.insert(weight);
    if (is_parameter_quantizer(graph, node)) weights.insert(parameter_behind(graph, node.output()));
  }
  std::vector<const Parameter*> learned;
  for (const Parameter& parameter : graph.parameters())
    if (parameter.trainable || weights.contains(&parameter)) learned.push_back(&parameter);
  return learned;
}

at::Tensor real_value(const Graph& graph, const Parameter& parameter) {
  if (at::isFloatingType(parameter.value.scalar_type())) return parameter.value.detach();
  for (const Node* node : graph.consumers(parameter.name)) {
    if (node->op != "DequantizeLinear" || node->inputs.front() != parameter.name) continue;
    std::vector<const at::Tensor*> inputs;
    for (const auto& input : node->inputs) {
      const Parameter* known = graph.find_parameter(input);
      inputs.push_back(known ? &known->value : nullptr);
    }
    if (inputs.size() < 2 || !inputs[1]) continue;
    at::Tensor output;
    ops::Call call{.inputs = inputs, .outputs = std::span(&output, 1)};
    ops::op_of(*node).kernel (*node)(call);
    return output;
  }
  return parameter.value;
}

int64_t stored_bits(const Graph& graph, const Parameter& parameter) {
  for (const auto* node : graph.consumers(parameter.name)) {
    const bool quantised = (node->op == "FakeQuantize" && node->inputs[0] == parameter.name) ||
                           (node->op == "ConvBatchNormalization" && node->inputs[1] == parameter.name);
    if (quantised) return node->attributes.integer("bits", 8);
  }
  return parameter.value.element_size() * 8;
}

}  // namespace compress::analysis
