#include "analysis/weight.h"

#include "ops/op.h"
#include "ops/quantization_grid.h"
#include "ops/recurrent_layer.h"

#include <ATen/TensorOperators.h>

#include <set>

namespace compress::analysis {

namespace {

/// The node that rounds a parameter to the integers that it is deployed as; null when there is none.
const Node* simulated_quantizer(const Graph& graph, const Parameter& parameter) {
  for (const Node* node : graph.consumers(parameter.name))
    if ((node->op == "FakeQuantize" && node->inputs[0] == parameter.name) ||
        (node->op == "ConvBatchNormalization" && node->inputs[1] == parameter.name))
      return node;
  return nullptr;
}

}  // namespace

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

std::vector<const Parameter*> weights_of(const Graph& graph, const Node& node) {
  std::vector<const Parameter*> weights;
  if (const Parameter* weight = weight_of(graph, node)) weights.push_back(weight);
  if (ops::recurrent_gates(node) == 0) return weights;
  for (const size_t input : {ops::kWeightInput, ops::kWeightHidden})
    if (const Parameter* weight = node.has_input(input) ? parameter_behind(graph, node.inputs[input]) : nullptr)
      weights.push_back(weight);
  return weights;
}

bool is_parameter_quantizer(const Graph& graph, const Node& node) {
  return ops::op_of(node).quantization == ops::Quantization::quantizer && parameter_behind(graph, node.output());
}

std::vector<const Parameter*> learned_parameters(const Graph& graph) {
  std::set<const Parameter*> weights;
  for (const Node& node : graph.nodes()) {
    for (const Parameter* weight : weights_of(graph, node)) weights.insert(weight);
    if (is_parameter_quantizer(graph, node)) weights.insert(parameter_behind(graph, node.output()));
  }
  std::vector<const Parameter*> learned;
  for (const Parameter& parameter : graph.parameters())
    if (parameter.trainable || weights.contains(&parameter)) learned.push_back(&parameter);
  return learned;
}

at::Tensor real_value(const Graph& graph, const Parameter& parameter) {
  const auto type = parameter.value.scalar_type();
  if (at::isFloatingType(type) && !at::isFloat8Type(type)) return parameter.value.detach();
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

at::Tensor stored_value(const Graph& graph, const Parameter& parameter) {
  const Node* node = simulated_quantizer(graph, parameter);
  const at::Tensor value = parameter.value.detach();
  if (!node) return at::isFloat8Type(value.scalar_type()) ? value.to(at::kFloat) : value;
  const auto spec = ops::grid_spec(*node);
  const bool folds = node->op == "ConvBatchNormalization";  // its grid is that of the plain weight, but for a factor
  const auto axes = folds ? ops::GridAxes(0) : ops::grid_axes(*node);
  const auto range = ops::value_range(value, axes);
  const auto grid = folds ? ops::make_grid(range.min, range.max, spec)
                          : ops::Grid{graph.parameter(node->inputs[1]).value, graph.parameter(node->inputs[2]).value};
  if (!spec.is_integer()) return ops::fake_quantize(value, grid, spec, axes);
  const at::Tensor integers = ops::quantized(value, grid, spec, axes);
  return integers - ops::along_axes(grid.zero_point, axes, value).to(integers.scalar_type());
}

int64_t stored_bits(const Graph& graph, const Parameter& parameter) {
  const Node* node = simulated_quantizer(graph, parameter);
  if (node) return node->attributes.integer("bits", 8);
  for (const Node* reader : graph.consumers(parameter.name))
    if (reader->op == "DequantizeLinear" && reader->inputs[0] == parameter.name && reader->attributes.has("bits"))
      return reader->attributes.integer("bits", 8);
  return parameter.value.element_size() * 8;
}

}  // namespace compress::analysis
