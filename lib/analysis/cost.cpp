#include "analysis/cost.h"

#include "analysis/weight.h"
#include "ops/op.h"

#include <set>

namespace compress::analysis {

namespace {

int64_t volume(const Shape& shape) {
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

NodeCost node_cost(const Graph& graph, const Node& node, const ops::Infos& infos) {
  const ops::Op& op = ops::op_of(node);
  const auto inputs = ops::input_infos(node, infos), outputs = ops::output_infos(node, infos);
  NodeCost cost{.name = node.name, .op = node.op, .output = outputs[0].shape, .macs = op.macs(node, inputs, outputs)};
  if (!inputs.empty()) cost.input = inputs[0].shape;
  for (const auto& input : node.inputs)
    if (const Parameter* parameter = graph.find_parameter(input)) cost.parameters += parameter->value.numel();
  cost.effective_macs = static_cast<double>(cost.macs);
  const Parameter* weight = weight_of(graph, node);
  if (!weight) return cost;
  cost.weighted = true;
  cost.weights = weight->value.numel();
  cost.nonzero = weight->value.count_nonzero().item<int64_t>();
  if (weight->value.dim() > 2) cost.kernel = weight->value.sizes().slice(2).vec();
  if (cost.weights > 0) cost.effective_macs *= static_cast<double>(cost.nonzero) / static_cast<double>(cost.weights);
  return cost;
}

std::string kernel_text(const NodeCost& node) {
  if (node.kernel.empty()) return "";
  std::vector<std::string> sizes;
  for (const int64_t size : node.kernel) sizes.push_back(std::to_string(size));
  return "k=(" + join(sizes, ", ") + ")";
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
  for (const Parameter& parameter : graph.parameters()) {
    total.bytes += static_cast<int64_t>(parameter.value.nbytes());
    if (!parameter.trainable) continue;
    total.parameters += parameter.value.numel();
    total.nonzero_parameters += parameter.value.count_nonzero().item<int64_t>();
  }
  return total;
}

Table compute_table(const Cost& cost) {
  Table table({"Name", "Type", "Attrs", "IFM", "IFM volume", "OFM", "OFM volume", "Weights volume", "MACs"});
  for (const auto& node : cost.nodes) {
    if (!node.weighted) continue;
    table.row({node.name, node.op, kernel_text(node), shape_text(node.input), with_commas(volume(node.input)),
               shape_text(node.output), with_commas(volume(node.output)), with_commas(node.weights),
               with_commas(node.macs)});
  }
  return table;
}

}  // namespace compress::analysis
