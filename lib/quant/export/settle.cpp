#include "quant/export/settle.h"

#include "ops/grid_method.h"
#include "quant/insertion/quantizer_node.h"

#include <ATen/core/grad_mode.h>

namespace compress::quant {
namespace {

ops::Settled settled(const Graph& graph, const Node& quantizer) {
  std::vector<const at::Tensor*> inputs;
  for (const auto& name : quantizer.inputs) {
    const auto* parameter = graph.find_parameter(name);
    inputs.push_back(parameter ? &parameter->value : nullptr);
  }
  return ops::settled(quantizer, inputs);
}

/// Several quantisers may share a scale; they come to the same one.
void assign_constant(Graph& graph, const std::string& name, const at::Tensor& value) {
  auto& parameter = graph.parameter(name);
  parameter.trainable = false;
  graph.assign(name, value.reshape(parameter.value.sizes()).clone());
}

/// Others may read the weight as it was.
void replace_weight(Graph& graph, Node& quantizer, at::Tensor value, Changes& changes) {
  const auto& name = quantizer.inputs[0];
  if (graph.consumers(name).size() == 1)
    graph.assign(name, std::move(value));
  else
    quantizer.inputs[0] = add_constant(graph, graph.unique_name(name + ".settled"), std::move(value), changes);
}

}  // namespace

void settle(Graph& graph, Node& quantizer, Changes& changes) {
  const auto& method = ops::grid_method(quantizer);
  if (method.name == "fixed" || method.settle == nullptr) return;
  const at::NoGradGuard no_grad;
  auto settled = quant::settled(graph, quantizer);
  assign_constant(graph, quantizer.inputs[1], settled.grid.scale);
  assign_constant(graph, quantizer.inputs[2], settled.grid.zero_point);
  if (settled.value.defined()) replace_weight(graph, quantizer, std::move(settled.value), changes);
  for (const auto& attribute : method.attributes) quantizer.attributes.erase(attribute.name);
  quantizer.attributes.erase("slot");
  quantizer.attributes.set("method", "fixed");
  ops::set_grid(quantizer.attributes, settled.spec);
  quantizer.inputs.resize(3);
  ++changes.nodes_changed;
  graph.touch();
}

}  // namespace compress::quant
