#include "analysis/weight.h"

#include "ops/op.h"

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

}  // namespace compress::analysis
