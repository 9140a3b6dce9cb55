#pragma once

#include "early_exit/attach.h"
#include "early_exit/exits.h"
#include "graph/text_form.h"
#include "support/tensors.h"

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace compress::early_exit::fixtures {

/// Two convolutions and a classifier of three classes on 1x8x8 images, with irregular weights.
inline Graph small_network() {
  auto graph = parse_graph(R"(graph small(input: float[N,1,8,8]) -> (output = fc)
parameter conv1.weight: float[4,1,3,3]
parameter conv2.weight: float[6,4,3,3]
parameter fc.weight: float[3,6]
parameter fc.bias: float[3]
conv1 = Conv(input, %conv1.weight) kernel_shape=[3,3] pads=[1,1,1,1]
relu1 = Relu(conv1)
conv2 = Conv(relu1, %conv2.weight) kernel_shape=[3,3] strides=[2,2]
relu2 = Relu(conv2)
pool = GlobalAveragePool(relu2)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)");
  double seed = 0;
  for (const auto& name : graph.parameter_names())
    graph.assign(name, compress::test::wild(graph.parameter(name).value.sizes().vec(), ++seed).to(at::kFloat));
  return graph;
}

inline std::vector<ExitConfig> configs(const std::string& section) {
  Problems problems;
  auto read = read_exits(parse_yaml(section, "recipe.yaml"), problems);
  problems.raise();
  return read;
}

inline void attach(Graph& graph, const std::string& section, uint64_t seed = 1) {
  early_exit::attach(graph, configs(section), "", seed);
}

/// An exit 'early' behind the first ReLU.
inline Graph network_with_exit(double loss_weight = 0.3, double threshold = 0.5) {
  auto graph = small_network();
  attach(graph, fmt::format("early: {{value: relu1, loss_weight: {}, threshold: {}}}", loss_weight, threshold));
  return graph;
}

}  // namespace compress::early_exit::fixtures
