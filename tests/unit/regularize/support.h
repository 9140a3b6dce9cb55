#pragma once

#include "core/yaml.h"
#include "graph/text_form.h"
#include "regularize/regularizer.h"
#include "support/tensors.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>

#include <memory>
#include <string>

namespace compress::regularize::test {

/// Every parameter in double precision with gradient; weights irregular, statistics left alone.
inline void fill_with_doubles(Graph& graph) {
  double seed = 1;
  for (const auto& name : graph.parameter_names()) {
    const Parameter& parameter = graph.parameter(name);
    auto value = compress::test::wild(parameter.value.sizes().vec(), seed++);
    graph.assign(name, parameter.trainable ? value.set_requires_grad(true) : value);
  }
}

/// Two convolutions around which a shortcut runs, a batch-norm behind each, and a linear layer.
inline Graph residual(int64_t channels = 4) {
  const auto c = std::to_string(channels);
  std::string text = "graph g(input: float[N,2,4,4]) -> (output = fc)\n";
  for (const std::string i : {"1", "2"}) {
    text += "parameter conv" + i + ".weight: float[" + c + (i == "1" ? ",2" : "," + c) + ",3,3]\n";
    for (const char* name : {".scale", ".shift"}) text += "parameter norm" + i + name + ": float[" + c + "]\n";
    for (const char* name : {".mean", ".var"}) text += "parameter norm" + i + name + ": float[" + c + "] fixed\n";
  }
  text += "parameter fc.weight: float[3," + c + "]\nparameter fc.bias: float[3]\n" + R"(
conv1 = Conv(input, %conv1.weight) kernel_shape=[3,3] pads=[1,1,1,1]
norm1 = BatchNormalization(conv1, %norm1.scale, %norm1.shift, %norm1.mean, %norm1.var)
relu1 = Relu(norm1)
conv2 = Conv(relu1, %conv2.weight) kernel_shape=[3,3] pads=[1,1,1,1]
norm2 = BatchNormalization(conv2, %norm2.scale, %norm2.shift, %norm2.mean, %norm2.var)
sum = Add(norm2, relu1)
pool = GlobalAveragePool(sum)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)";
  auto graph = parse_graph(text);
  fill_with_doubles(graph);
  return graph;
}

/// A linear layer with the weights 3, 4, 0, 0 in two rows.
inline Graph one_matrix() {
  auto graph = parse_graph("graph g(input: float[N,2]) -> (output = fc)\nparameter fc.weight: float[2,2]\n"
                           "fc = Gemm(input, %fc.weight) transB=1\n");
  graph.assign("fc.weight", compress::test::numbers({3, 4, 0, 0}).view({2, 2}).set_requires_grad(true));
  return graph;
}

inline std::unique_ptr<Regularizer> made_regularizer(const std::string& name, const std::string& arguments) {
  auto made = regularizers().make(name);
  Settings settings;
  made->declare(settings);
  settings.read(parse_yaml(arguments, "recipe.yaml"), name);
  made->check();
  return made;
}

inline std::unique_ptr<Regularizer>
bound_regularizer(const Graph& graph, const std::string& name, const std::string& arguments) {
  auto made = made_regularizer(name, arguments);
  Problems problems;
  made->bind(graph, problems);
  problems.raise();
  return made;
}

inline double loss_of(const Regularizer& regularizer, const Graph& graph) {
  return regularizer.loss(graph).item<double>();
}

/// Requires that the gradient of the loss is finite and that of central differences, for every weight.
inline void check_loss_gradients(const Regularizer& regularizer, Graph& graph) {
  constexpr double kStep = 1e-6;
  for (Parameter& parameter : graph.parameters()) parameter.value.mutable_grad() = at::Tensor();
  regularizer.loss(graph).backward();
  for (Parameter& parameter : graph.parameters()) {
    if (!parameter.value.grad().defined()) continue;
    const auto gradient = parameter.value.grad().contiguous().flatten();
    const at::NoGradGuard no_grad;
    auto elements = parameter.value.detach().flatten();
    for (int64_t k = 0; k < elements.numel(); k += 1 + elements.numel() / 40) {
      auto element = elements[k];
      const auto value = element.item<double>();
      element.fill_(value + kStep);
      const auto above = loss_of(regularizer, graph);
      element.fill_(value - kStep);
      const auto below = loss_of(regularizer, graph);
      element.fill_(value);
      INFO(parameter.name << ", element " << k);
      REQUIRE(gradient[k].item<double>() == Approx((above - below) / (2 * kStep)).margin(1e-6).epsilon(1e-5));
    }
  }
}

}  // namespace compress::regularize::test
