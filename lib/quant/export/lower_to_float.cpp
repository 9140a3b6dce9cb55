#include "exec/plan.h"
#include "quant/export/lowering.h"
#include "quant/quantizer.h"

namespace compress::quant {
namespace {

/// A constant's quantiser goes with its value; the constant is one for each quantiser that reads it.
void keep_grid_values(Graph& graph, Node& node) {
  std::vector<at::Tensor> inputs;
  for (const auto& input : node.inputs) inputs.push_back(graph.parameter(input).value);
  const auto on_grid = exec::run_node(node, inputs).at(0).detach();
  auto name = node.inputs[0];
  if (graph.consumers(name).size() > 1)
    name = graph.add_parameter({.name = graph.unique_name(name + ".quantized"), .value = on_grid}).name;
  else
    graph.assign(name, on_grid);
  graph.replace_uses(node.name, name);
}

}  // namespace

Graph lower_to_float(const Graph& graph) {
  auto lowered = graph.clone();
  finish(lowered);
  std::vector<Node*> quantizers;
  for (auto& node : lowered.nodes())
    if (node.op == "FakeQuantize") quantizers.push_back(&node);
  for (auto* node : quantizers) {
    if (lowered.find_parameter(node->inputs[0]) != nullptr)
      keep_grid_values(lowered, *node);
    else
      lowered.replace_uses(node->name, std::string(node->inputs[0]));
    lowered.erase(node->name);
  }
  lowered.erase_unused_parameters();
  return lowered;
}

}  // namespace compress::quant
