#include "analysis/cost.h"

#include "analysis/weight.h"
#include "ops/op.h"

#include <map>
#include <set>

namespace compress::analysis {

namespace {

int64_t bytes_of(const Graph& graph, const Parameter& parameter) {
  return (parameter.value.numel() * stored_bits(graph, parameter) + 7) / 8;
}

/// Elements that are not zero; all of a tensor without numbers.
int64_t nonzero_elements(const at::Tensor& tensor) {
  return tensor.is_meta() ? tensor.numel() : tensor.count_nonzero().item<int64_t>();
}

/// Counted once a parameter, however many nodes and sums ask.
class NonzeroCounts {
public:
  explicit NonzeroCounts(const Graph& graph) : graph_(graph) {}

  int64_t of(const Parameter& parameter) {
    const auto [count, is_new] = counts_.try_emplace(&parameter);
    if (is_new) count->second = nonzero_elements(real_value(graph_, parameter));
    return count->second;
  }

private:
  const Graph& graph_;
  std::map<const Parameter*, int64_t> counts_;
};

NodeCost node_cost(const Graph& graph, const Node& node, const ops::Infos& infos, NonzeroCounts& nonzero) {
  const ops::Op& op = ops::op_of(node);
  const auto inputs = ops::input_infos(node, infos), outputs = ops::output_infos(node, infos);
  NodeCost cost{.name = node.name, .op = node.op, .output = outputs[0].shape, .macs = op.macs(node, inputs, outputs)};
  if (!inputs.empty()) cost.input = inputs[0].shape;
  for (const auto& input : node.inputs)
    if (const Parameter* parameter = parameter_behind(graph, input)) cost.parameters += parameter->value.numel();
  cost.effective_macs = static_cast<double>(cost.macs);
  for (const Parameter* weight : weights_of(graph, node)) {
    cost.weighted = true;
    cost.weights += weight->value.numel();
    cost.weight_bytes += bytes_of(graph, *weight);
    cost.nonzero += nonzero.of(*weight);
    if (weight->value.dim() > 2) cost.kernel = weight->value.sizes().slice(2).vec();
  }
  if (cost.weights > 0) cost.effective_macs *= static_cast<double>(cost.nonzero) / static_cast<double>(cost.weights);
  return cost;
}

}  // namespace

Cost cost(const Graph& graph) {
  const ops::Infos infos = ops::infer(graph, 1);
  Cost total;
  NonzeroCounts nonzero(graph);
  std::set<const Parameter*> counted;
  for (const Node& node : graph.nodes()) {
    const NodeCost one = node_cost(graph, node, infos, nonzero);
    total.macs += one.macs;
    total.effective_macs += one.effective_macs;
    for (const Parameter* weight : weights_of(graph, node)) {
      if (!counted.insert(weight).second) continue;
      total.weights += weight->value.numel();
      total.nonzero_weights += nonzero.of(*weight);
    }
    total.nodes.push_back(one);
  }
  for (const Parameter& parameter : graph.parameters()) total.bytes += static_cast<int64_t>(parameter.value.nbytes());
  for (const Parameter* parameter : learned_parameters(graph)) {
    total.parameters += parameter->value.numel();
    total.nonzero_parameters += nonzero.of(*parameter);
    total.stored_bytes += bytes_of(graph, *parameter);
  }
  return total;
}

}  // namespace compress::analysis
