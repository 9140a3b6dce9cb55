#include "support/quantization.h"

#include "core/random.h"
#include "core/text.h"
#include "exec/plan.h"
#include "graph/text_form.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

namespace compress::test {

at::Tensor random_tensor(std::vector<int64_t> shape, uint64_t seed) {
  auto tensor = at::empty(shape, at::kFloat);
  Random random(seed, "test");
  for (auto *p = tensor.mutable_data_ptr<float>(), *end = p + tensor.numel(); p != end; ++p)
    *p = static_cast<float>(random.normal());
  return tensor;
}

Graph filled_graph(const std::string& text) {
  auto graph = parse_graph(text);
  uint64_t seed = 1;
  for (const auto& name : graph.parameter_names()) {
    auto value = random_tensor(graph.parameter(name).value.sizes().vec(), seed++);
    if (name.ends_with("running_var"))
      value = value.abs() + 0.5;
    else if (value.dim() > 1)
      value = value * 0.3;
    else
      value = value * 0.2 + (name.ends_with(".weight") ? 1 : 0);
    graph.assign(name, value);
  }
  return graph;
}

Graph quantized_linear(int64_t outputs, int64_t inputs, int bits) {
  return parse_graph(fmt::format(R"(graph net(x: float[N,{1}]) -> (y = fc)
parameter x.quantizer.scale: float[]
parameter x.quantizer.zero_point: float[]
parameter fc.weight: float[{0},{1}]
parameter fc.weight.quantizer.scale: float[{0}]
parameter fc.weight.quantizer.zero_point: float[{0}]
parameter fc.bias: float[{0}]
parameter fc.bias.quantizer.scale: float[{0}]
parameter fc.bias.quantizer.zero_point: float[{0}]
x.quantizer = FakeQuantize(x, %x.quantizer.scale, %x.quantizer.zero_point) bits={2} signed=0 symmetric=0
fc.weight.quantizer = FakeQuantize(%fc.weight, %fc.weight.quantizer.scale, %fc.weight.quantizer.zero_point) axis=0 bits=8 narrow_range=1
fc.bias.quantizer = FakeQuantize(%fc.bias, %fc.bias.quantizer.scale, %fc.bias.quantizer.zero_point) axis=0 bits=32 narrow_range=1
fc = Gemm(x.quantizer, fc.weight.quantizer, fc.bias.quantizer) transB=1
)",
                                 outputs, inputs, bits));
}

std::unique_ptr<quant::Quantizer> make_quantizer(const std::string& name, const std::string& yaml) {
  auto quantizer = quant::quantizers().make(name);
  Settings settings;
  quantizer->declare(settings);
  settings.read(parse_yaml(yaml, "recipe.yaml"), name);
  quantizer->check();
  return quantizer;
}

Changes
quantize(Graph& graph, const std::string& name, const std::string& yaml, const quant::CalibrationBatches& calibration) {
  const auto quantizer = make_quantizer(name, yaml);
  Problems problems;
  quantizer->bind(graph, problems);
  problems.raise();
  return quantizer->prepare(graph, {.batches = calibration});
}

quant::CalibrationBatches calibration_of(std::vector<at::Tensor> batches) {
  return [batches](const std::function<void(const std::vector<at::Tensor>&)>& consume) {
    for (const auto& batch : batches) consume({batch});
  };
}

at::Tensor evaluated(const Graph& graph, const at::Tensor& x) {
  const at::Tensor inputs[] = {x};
  return exec::Plan(graph, {.optimize = false}).run(inputs)[0];
}

std::string wiring(const Graph& graph) {
  std::string text;
  for (const auto& line : split(print_graph(graph), '\n'))
    if (const auto close = line.find(')'); line.find(" = ") != std::string::npos && !line.starts_with("graph "))
      text += line.substr(0, close + 1) + "\n";
  return text;
}

std::vector<double> gradient_descent(Graph& graph, int steps, double rate) {
  graph.own_storage();
  for (auto& parameter : graph.parameters()) parameter.value.set_requires_grad(parameter.trainable);
  const exec::Plan plan(graph, {.mode = exec::Mode::train});
  const at::Tensor inputs[] = {random_tensor({16, 3, 8, 8}, 21)};
  const auto targets = random_tensor(evaluated(graph, inputs[0]).sizes().vec(), 22);
  std::vector<double> losses;
  for (int step = 0; step < steps; ++step) {
    const auto loss = (plan.run(inputs)[0] - targets).square().mean();
    losses.push_back(loss.item<double>());
    loss.backward();
    const at::NoGradGuard no_grad;
    for (auto& parameter : graph.parameters()) {
      if (!parameter.trainable || !parameter.value.grad().defined()) continue;
      parameter.value.sub_(parameter.value.grad() * rate);
      if (parameter.mask.defined()) parameter.value.mul_(parameter.mask);
      if (step + 1 < steps) parameter.value.mutable_grad().reset();
    }
  }
  return losses;
}

}  // namespace compress::test
