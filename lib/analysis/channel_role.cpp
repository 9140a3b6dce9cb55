#include "analysis/channel_role.h"

#include "analysis/weight.h"
#include "ops/op.h"
#include "ops/product_channels.h"
#include "ops/recurrent_layer.h"

#include <algorithm>

namespace compress::analysis {

namespace {

bool recurrent_input_makes(size_t input, int axis) {
  if (input == ops::kInitialHidden || input == ops::kInitialCell) return axis == 1;
  const bool gates = input == ops::kWeightInput || input == ops::kWeightHidden || input == ops::kBiasInput ||
                     input == ops::kBiasHidden;
  return gates && axis == 0;
}

/// A factor of a product of values: what is summed over is read.
bool stays_in_product(const Graph& graph, const Node& node, size_t input, int axis) {
  if (node.op == "MatMul") {
    const auto rank = graph.parameter(node.inputs[input]).value.dim();
    return input == 0 ? rank > 1 && axis != rank - 1 : rank > 1 && axis == rank - 1;
  }
  const auto equation = node.attributes.text("equation", "");
  const auto arrow = equation.find("->");
  if (arrow == std::string::npos || equation.find('.') != std::string::npos) return false;
  size_t begin = 0;
  for (size_t i = 0; i < input; ++i) begin = equation.find(',', begin) + 1;
  std::string letters;
  for (size_t k = begin; k < arrow && equation[k] != ','; ++k)
    if (equation[k] != ' ') letters += equation[k];
  return axis < std::ssize(letters) && equation.find(letters[static_cast<size_t>(axis)], arrow) != std::string::npos;
}

bool input_makes(const Graph& graph, const Node& node, size_t input, int axis) {
  const ops::Op& op = ops::op_of(node);
  if (ops::recurrent_gates(node) > 0) return recurrent_input_makes(input, axis);
  if (op.quantization == ops::Quantization::quantizer) {
    if (input != 0) return false;  // scale, zero point, range
    for (const Node* reader : graph.consumers(node.output()))
      for (size_t i = 0; i < reader->inputs.size(); ++i)
        if (reader->inputs[i] == node.output() && input_makes(graph, *reader, i, axis)) return true;
    return false;
  }
  if (op.weight_input == static_cast<int>(input) && op.weight_axis) return op.weight_axis(node) == axis;
  if (node.op == "MatMul" || node.op == "Einsum") return stays_in_product(graph, node, input, axis);
  if (node.op == "BatchNormalization") return input < 3;
  if (node.op == "ConvBatchNormalization") return input < 5;
  return node.op != "Mul" && node.op != "Div" && node.op != "PRelu";
}

}  // namespace

bool makes_channels(const Graph& graph, const Parameter& parameter, int axis) {
  if (!at::isFloatingType(parameter.value.scalar_type())) return false;
  return std::ranges::any_of(graph.consumers(parameter.name), [&](const Node* node) {
    for (size_t i = 0; i < node->inputs.size(); ++i)
      if (node->inputs[i] == parameter.name && input_makes(graph, *node, i, axis)) return true;
    return false;
  });
}

int weight_axis(const Graph& graph, const std::string& parameter, bool output) {
  for (const Node& node : graph.nodes()) {
    const ops::Op& op = ops::op_of(node);
    const Parameter* weight = op.weight_axis ? weight_of(graph, node) : nullptr;
    if (!weight || weight->name != parameter) continue;
    const int outputs = op.weight_axis(node);
    return output ? outputs : outputs == 0 ? 1 : outputs - 1;
  }
  return output ? 0 : 1;
}

}  // namespace compress::analysis
