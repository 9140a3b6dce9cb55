#include "analysis/cost.h"

#include "analysis/weight.h"
#include "ops/op.h"

#include <set>

namespace compress::analysis {

namespace {

int64_t bytes_of(const Graph& graph, const Parameter& parameter) {
  return (parameter.value.numel() * stored_bits(graph, parameter) + 7) / 8;
}

NodeCost node_cost(const Graph& graph, const Node& node, const ops::Infos& infos) {
  const ops::Op& op = ops::op_of(node);
  const auto inputs = ops::input_infos(node, infos), outputs = ops::output_infos(node, infos);
  NodeCost cost{.name = node.name, .op = node.op, .output = outputs[0].shape, .macs = op.macs(node, inputs, outputs)};
  if (!inputs.empty()) cost.input = inputs[0].shape;
  for (const auto& input : node.inputs)
    if (const Parameter* parameter = parameter_behind(graph, input)) cost.parameters += parameter->value.numel();
  cost.effective_macs = static_cast<double>(cost.macs);
  const Parameter* weight = weight_of(graph, node);
  if (!weight) return cost;
  cost.weighted = true;
  cost.weights = weight->value.numel();
  cost.weight_bytes = bytes_of(graph, *weight);
  cost.nonzero = real_value(graph, *weight).count_nonzero().item<int64_t>();
  if (weight->value.dim() > 2) cost.kernel = weight->value.sizes().slice(2).vec();
  if (cost.weights > 0) cost.effective_macs *= static_cast<double>(cost.nonzero) / static_cast<double>(cost.weights);
  return cost;
}

}  // namespace

Cost cost(const Graph& graph) {
  const ops::Infos infos = ops::infer(graph, 1);
  Cost total;
  std::set<const Parameter*> counted;
  for (const Node& node : graph.nodes()) {
    const NodeCost one = node_cost(graph, node, infos);
    total.macs += one.macs;
    total.effective_macs += one.effective_macs;
    if (one.weighted && counted.insert(weight_of(graph, node)).second) {
      total.weights += one.weights;
      total.nonzero_weights += one.nonzero;
    }
    total.nodes.push_back(one);
  }
  for (const Parameter& parameter : graph.parameters()) total.bytes += static_cast<int64_t>(parameter.value.nbytes());
  for (const Parameter* parameter : learned_parameters(graph)) {
    total.parameters += parameter->value.numel();
    total.nonzero_parameters += real_value(graph, *parameter).count_nonzero().item<int64_t>();
    total.stored_bytes += bytes_of(graph, *parameter);
  }
  return total;
}

}  // namespace compress::analysis
