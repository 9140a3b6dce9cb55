#include "train/not_finite.h"

#include "exec/plan.h"

#include <ATen/core/grad_mode.h>

namespace compress::train {

namespace {

bool is_finite(const at::Tensor& tensor) {
  return !tensor.is_floating_point() || tensor.isfinite().all().item<bool>();
}

std::string first_bad_node(const Graph& graph, const std::vector<at::Tensor>& inputs) {
  Graph copy = graph.clone();  // a training pass writes batch-norm statistics
  copy.own_storage();
  exec::PlanOptions options{.mode = exec::Mode::train};
  for (const Node& node : graph.nodes())
    for (int k = 0; k < node.outputs; ++k) options.observe.push_back(node.output(k));
  std::string first;
  options.observer = [&](std::string_view name, const at::Tensor& value) {
    if (first.empty() && !is_finite(value)) first = name;
  };
  exec::Plan(copy, options).run(inputs);
  const Node* node = graph.producer(first);
  return node ? fmt::format("the output of node '{}' ({})", node->name, node->op) : std::string();
}

}  // namespace

std::string first_not_finite(const Graph& graph, const std::vector<at::Tensor>& inputs) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!is_finite(inputs[i])) return fmt::format("the input '{}'", graph.inputs[i].name);
  for (const Parameter& parameter : graph.parameters())
    if (!is_finite(parameter.value)) return fmt::format("parameter '{}'", parameter.name);
  return first_bad_node(graph, inputs);
}

}  // namespace compress::train
