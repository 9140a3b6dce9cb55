#include "prune/layer_activation.h"

#include "analysis/weight.h"
#include "ops/op.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace compress::prune {

namespace {

bool is_one_of(std::string_view op, std::span<const std::string_view> ops) {
  return std::ranges::find(ops, op) != ops.end();
}

bool is_activation_function(const Node& node) {
  static constexpr auto kOps = std::to_array<std::string_view>(
      {"Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Clip", "HardSigmoid", "HardSwish", "Gelu", "Mish",
       "Sigmoid", "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu", "Shrink"});
  return is_one_of(node.op, kOps);
}

bool makes_zeros(const Node& node) {
  static constexpr auto kOps =
      std::to_array<std::string_view>({"Relu", "HardSigmoid", "HardSwish", "ThresholdedRelu", "Shrink"});
  return is_one_of(node.op, kOps) || (node.op == "Clip" && node.attributes.number("min", -1) == 0);
}

/// What keeps channels what they are.
bool lets_through(const Node& node) {
  static constexpr auto kOps =
      std::to_array<std::string_view>({"BatchNormalization", "InstanceNormalization", "GroupNormalization", "Add",
                                       "Sum", "Identity", "Dropout", "MaxPool", "AveragePool"});
  return is_one_of(node.op, kOps) || ops::op_of(node).quantization == ops::Quantization::quantizer;
}

LayerActivation follow_output(const Graph& graph, const Node& layer) {
  LayerActivation found{.value = layer.output(), .axis = layer.op == "MatMul" ? -1 : 1};
  while (true) {
    const auto consumers = graph.consumers(found.value);
    const auto activation =
        std::ranges::find_if(consumers, [](const Node* node) { return is_activation_function(*node); });
    if (activation != consumers.end()) {
      found.value = (*activation)->output();
      found.op = (*activation)->op;
      found.zeros = makes_zeros(**activation);
      return found;
    }
    if (consumers.size() != 1 || !lets_through(*consumers.front())) return found;
    found.value = consumers.front()->output();
  }
}

}  // namespace

std::vector<LayerActivation> layer_activations(const Graph& graph, const std::string& weight) {
  std::vector<LayerActivation> all;
  for (const Node& node : graph.nodes()) {
    const Parameter* own = analysis::weight_of(graph, node);
    if (own && own->name == weight && ops::op_of(node).weight_axis) all.push_back(follow_output(graph, node));
  }
  return all;
}

}  // namespace compress::prune
