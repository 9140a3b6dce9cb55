#pragma once

#include "core/random.h"
#include "core/settings.h"
#include "data/dataset.h"
#include "graph/text_form.h"
#include "train/trainer.h"

#include <ATen/ops/empty.h>

#include <cmath>

namespace compress::train::test {

/// Weights drawn from (seed, name) with He's variance; biases stay zero, batch-norm scales and variances become one.
inline void initialize(Graph& graph, uint64_t seed = 1) {
  for (Parameter& parameter : graph.parameters()) {
    const bool one = parameter.name.ends_with("running_var") || parameter.name.ends_with("bn.weight");
    if (one) parameter.value.fill_(1);
    if (parameter.value.dim() < 2) continue;
    Random random(seed, parameter.name);
    const double deviation =
        std::sqrt(2.0 * static_cast<double>(parameter.value.size(0)) / static_cast<double>(parameter.value.numel()));
    float* numbers = parameter.value.mutable_data_ptr<float>();
    for (int64_t i = 0; i < parameter.value.numel(); ++i) numbers[i] = static_cast<float>(deviation * random.normal());
  }
}

inline Graph initialized(const char* text) {
  Graph graph = parse_graph(text);
  initialize(graph);
  return graph;
}

/// A convolutional network for `synthetic`.
inline Graph conv_net() {
  return initialized(R"(graph conv_net(image: float[N,3,16,16]) -> (logits = fc)
parameter conv1.weight: float[8,3,3,3]
parameter conv1.bias: float[8]
parameter bn.weight: float[8]
parameter bn.bias: float[8]
parameter bn.running_mean: float[8] fixed
parameter bn.running_var: float[8] fixed
parameter conv2.weight: float[16,8,3,3]
parameter conv2.bias: float[16]
parameter fc.weight: float[10,256]
parameter fc.bias: float[10]
conv1 = Conv(image, %conv1.weight, %conv1.bias) kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2]
bn = BatchNormalization(conv1, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var)
relu1 = Relu(bn)
conv2 = Conv(relu1, %conv2.weight, %conv2.bias) kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2]
relu2 = Relu(conv2)
flat = Flatten(relu2) axis=1
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)");
}

inline Graph regression_net() {
  return initialized(R"(graph regression_net(x: float[N,8]) -> (prediction = fc2)
parameter fc1.weight: float[16,8]
parameter fc1.bias: float[16]
parameter fc2.weight: float[1,16]
parameter fc2.bias: float[1]
fc1 = Gemm(x, %fc1.weight, %fc1.bias) transB=1
act = Tanh(fc1)
fc2 = Gemm(act, %fc2.weight, %fc2.bias) transB=1
)");
}

/// The same size with dropout.
inline Graph dropout_net() {
  return initialized(R"(graph dropout_net(x: float[N,8]) -> (prediction = fc2)
parameter fc1.weight: float[16,8]
parameter fc2.weight: float[1,16]
fc1 = Gemm(x, %fc1.weight) transB=1
act = Relu(fc1)
drop = Dropout(act) ratio=0.5
fc2 = Gemm(drop, %fc2.weight) transB=1
)");
}

/// Looks at both images of `synthetic_pair`.
inline Graph pair_net() {
  return initialized(R"(graph pair_net(a: float[N,3,16,16], b: float[N,3,16,16]) -> (logits = fc)
parameter conv_a.weight: float[8,3,4,4]
parameter conv_b.weight: float[8,3,4,4]
parameter fc.weight: float[10,256]
parameter fc.bias: float[10]
conv_a = Conv(a, %conv_a.weight) kernel_shape=[4,4] strides=[4,4]
conv_b = Conv(b, %conv_b.weight) kernel_shape=[4,4] strides=[4,4]
both = Concat(conv_a, conv_b) axis=1
relu = Relu(both)
flat = Flatten(relu) axis=1
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)");
}

/// One linear layer, 3 -> 2.
inline Graph linear_net() {
  return initialized(R"(graph linear_net(x: float[N,3]) -> (y = fc)
parameter fc.weight: float[2,3]
parameter fc.bias: float[2]
fc = Gemm(x, %fc.weight, %fc.bias) transB=1
)");
}

/// The component `name` of a registry with arguments as YAML.
template <class T>
std::unique_ptr<T> make(const Registry<T>& registry, const std::string& name, const std::string& arguments = "{}") {
  auto made = registry.make(name);
  Settings settings;
  made->declare(settings);
  settings.read(parse_yaml(arguments, "test.yaml"), name);
  return made;
}

/// A component's arguments as they print.
template <class T>
std::string printed(T& component) {
  Settings settings;
  component.declare(settings);
  return to_text(settings.print());
}

inline data::Splits small_splits(const std::string& name, int64_t train = 512) {
  data::DataConfig config;
  config.name = name;
  config.validation_split = 0.125;
  config.limits = {{"train", train}, {"validation", 128}, {"test", 128}};
  return data::open_splits(config, 1);
}

/// Everything a trainer needs, with a hook that does nothing unless another is given.
struct Setup {
  Graph graph;
  data::Splits data;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Task> task;
  Hook none = {};
  TrainingConfig config = {.threads = 1};

  Setup(Graph graph,
        const std::string& data_name,
        const std::string& optimizer = "{lr: 0.1, momentum: 0.9}",
        int64_t train = 512)
      : graph(std::move(graph)), data(small_splits(data_name, train)), optimizer(make(optimizers(), "SGD", optimizer)),
        task(make(tasks(), data.info.task)) {}

  Trainer trainer(int64_t epochs, Hook* hook = nullptr, int64_t batch_size = 64) {
    return {graph, data, *task, *optimizer, hook ? *hook : none, config, epochs, batch_size, 2};
  }
};

/// All parameters in one list of numbers, for comparing bits.
inline std::vector<float> weights_of(const Graph& graph) {
  std::vector<float> all;
  for (const Parameter& parameter : graph.parameters()) {
    const at::Tensor flat = parameter.value.detach().contiguous();
    all.insert(all.end(), flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel());
  }
  return all;
}

}  // namespace compress::train::test
