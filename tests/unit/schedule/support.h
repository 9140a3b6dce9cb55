#pragma once

#include "core/yaml.h"
#include "graph/text_form.h"
#include "schedule/recipe.h"

#include <ATen/ops/arange.h>

#include <string>
#include <vector>

namespace compress::schedule::test {

/// The names of ResNet-20's layers on a chain of 1x1 convolutions with 8 channels: what a Distiller schedule for it
/// binds to.
inline Graph resnet_names() {
  std::vector<std::string> layers;
  for (int layer = 1; layer <= 3; ++layer)
    for (int block = 0; block < 3; ++block) {
      const auto stem = "layer" + std::to_string(layer) + '.' + std::to_string(block);
      for (const char* conv : {".conv1", ".conv2"}) layers.push_back(stem + conv);
      if (layer > 1 && block == 0) layers.push_back(stem + ".downsample.0");
    }
  std::string parameters, nodes, value = "input";
  for (const auto& layer : layers) {
    parameters += "parameter " + layer + ".weight: float[8,8,1,1]\n";
    for (const char* name : {".bn.weight", ".bn.bias"}) parameters += "parameter " + layer + name + ": float[8]\n";
    for (const char* name : {".bn.running_mean", ".bn.running_var"})
      parameters += "parameter " + layer + name + ": float[8] fixed\n";
    nodes += layer + " = Conv(" + value + ", %" + layer + ".weight) kernel_shape=[1,1]\n";
    value = layer + ".bn";
    nodes += value + " = BatchNormalization(" + layer + ", %" + value + ".weight, %" + value + ".bias, %" + value +
             ".running_mean, %" + value + ".running_var)\n";
  }
  nodes +=
      "pool = GlobalAveragePool(" + value + ")\nflat = Flatten(pool)\nfc = Gemm(flat, %fc.weight, %fc.bias) transB=1\n";
  auto graph = parse_graph("graph resnet(input: float[N,8,4,4]) -> (output = fc)\n" + parameters +
                           "parameter fc.weight: float[10,8]\nparameter fc.bias: float[10]\n" + nodes);
  for (const Parameter& parameter : graph.parameters())
    graph.assign(parameter.name,
                 at::arange(1, parameter.value.numel() + 1).to(at::kFloat).view(parameter.value.sizes()));
  return graph;
}

/// Two convolutions and a linear layer for 28x28 images, each weight another.
inline Graph small_network() {
  auto graph = parse_graph(R"(graph small(input: float[N,1,28,28]) -> (output = fc)
parameter conv1.weight: float[8,1,3,3]
parameter conv2.weight: float[8,8,3,3]
parameter fc.weight: float[10,8]
parameter fc.bias: float[10]
conv1 = Conv(input, %conv1.weight) kernel_shape=[3,3] strides=[3,3]
relu1 = Relu(conv1)
conv2 = Conv(relu1, %conv2.weight) kernel_shape=[3,3]
relu2 = Relu(conv2)
pool = GlobalAveragePool(relu2)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)");
  for (const auto& name : graph.parameter_names()) {
    const auto& value = graph.parameter(name).value;
    graph.assign(name, at::arange(value.numel()).mul(0.7).sin().mul(0.3).view(value.sizes()));
  }
  return graph;
}

inline Recipe recipe_of(const std::string& text) {
  return Recipe::parse(parse_yaml(text, "recipe.yaml"));
}

inline Graph no_model(const std::string& spec) {
  throw request_error("there is no model '{}'", spec);
}

}  // namespace compress::schedule::test
