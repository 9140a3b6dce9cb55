#pragma once

#include "core/text.h"
#include "graph/text_form.h"
#include "prune/pruner.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>

#include <memory>
#include <string>
#include <vector>

namespace compress::prune::fixtures {

/// Two convolutions, a batch-norm between them, a linear layer; weights 1, 2, 3, ... in every tensor.
inline Graph small_graph() {
  Graph graph = parse_graph(R"(graph small(input: float[N,2,4,4]) -> (output = fc)
parameter conv1.weight: float[4,2,3,3]
parameter bn1.weight: float[4]
parameter bn1.bias: float[4]
parameter bn1.running_mean: float[4] fixed
parameter bn1.running_var: float[4] fixed
parameter layer1.0.conv1.weight: float[4,4,1,1]
parameter layer1.0.conv1.bias: float[4]
parameter fc.weight: float[3,4]
parameter fc.bias: float[3]
conv1 = Conv(input, %conv1.weight) kernel_shape=[3,3] pads=[1,1,1,1]
bn1 = BatchNormalization(conv1, %bn1.weight, %bn1.bias, %bn1.running_mean, %bn1.running_var)
relu1 = Relu(bn1)
layer1.0.conv1 = Conv(relu1, %layer1.0.conv1.weight, %layer1.0.conv1.bias) kernel_shape=[1,1]
pool = GlobalAveragePool(layer1.0.conv1)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)");
  for (const Parameter& parameter : graph.parameters()) {
    const auto count = parameter.value.numel();
    graph.assign(parameter.name, at::arange(1, count + 1).to(at::kFloat).view(parameter.value.sizes()));
  }
  return graph;
}

/// A pruner with arguments written as YAML ("weights: [a]").
inline std::unique_ptr<Pruner> make_pruner(const std::string& name, const std::string& arguments) {
  auto pruner = pruners().make(name);
  Settings settings;
  pruner->declare(settings);
  settings.read(parse_yaml(arguments, "recipe.yaml"), name);
  return pruner;
}

inline std::unique_ptr<Pruner> bound_pruner(const Graph& graph, const std::string& name, const std::string& arguments) {
  auto pruner = make_pruner(name, arguments);
  Problems problems;
  pruner->bind(graph, problems);
  problems.raise();
  return pruner;
}

/// The mask as 0/1 in memory order.
inline std::vector<int> mask_of(const Graph& graph, const std::string& parameter) {
  const auto& mask = graph.parameter(parameter).mask;
  if (!mask.defined()) return {};
  const auto flat = mask.contiguous().view(-1).to(at::kInt);
  return {flat.const_data_ptr<int>(), flat.const_data_ptr<int>() + flat.numel()};
}

/// One entry per structure along `axis`: 1 where any weight is kept.
inline std::vector<int> kept_along(const Graph& graph, const std::string& parameter, int64_t axis) {
  const auto map = graph.parameter(parameter).mask.transpose(0, axis).flatten(1).amax(1).to(at::kInt).contiguous();
  return {map.const_data_ptr<int>(), map.const_data_ptr<int>() + map.numel()};
}

}  // namespace compress::prune::fixtures
