// quantize_onnx MODEL.onnx --inputs X.safetensors --quantizer NAME [--arguments YAML] --qdq OUT.onnx --values
// V.safetensors Quantises a model (calibrated, or its ranges trained, on X), writes its QDQ form, and runs it on X. V
// holds every value of the QDQ graph as our executor computes it, "simulated/NAME" and "float/NAME" for each output.
// For tests that compare with other programs.

#include "core/error.h"
#include "exec/plan.h"
#include "io/onnx.h"
#include "io/safetensors.h"
#include "quant/quantizer.h"

#include <ATen/core/grad_mode.h>

#include <CLI/CLI.hpp>

#include <iostream>

namespace {

using namespace compress;

struct Options {
  std::string model, inputs, quantizer = "PostTrainMinMaxQuantizer", arguments = "{}", qdq, values;
};

std::vector<at::Tensor> read_inputs(const Graph& graph, const Options& options) {
  const auto given = io::read_safetensors(options.inputs).tensors;
  std::vector<at::Tensor> inputs;
  for (const auto& input : graph.inputs) inputs.push_back(given.at(input.name));
  return inputs;
}

void quantize(Graph& graph, const std::vector<at::Tensor>& inputs, const Options& options) {
  const auto quantizer = quant::quantizers().make(options.quantizer);
  Settings settings;
  quantizer->declare(settings);
  settings.read(parse_yaml(options.arguments, "--arguments"), options.quantizer);
  quantizer->check();
  Problems problems;
  quantizer->bind(graph, problems);
  problems.raise();
  quantizer->prepare(graph, {.batches = [&](const auto& consume) { consume(inputs); }});
  if (!quantizer->post_training()) {
    const at::NoGradGuard no_grad;
    graph.own_storage();
    const exec::Plan plan(graph, {.mode = exec::Mode::train});
    for (int step = 0; step < 3; ++step) plan.run(inputs);
  }
  quant::finish(graph);
}

void run(const Options& options) {
  auto graph = io::import_onnx(options.model);
  const auto inputs = read_inputs(graph, options);
  io::TensorFile file;
  const auto keep_outputs = [&](const std::string& prefix) {
    const auto outputs = exec::Plan(graph, {.optimize = false}).run(inputs);
    for (size_t i = 0; i < outputs.size(); ++i) file.tensors[prefix + graph.outputs[i].name] = outputs[i].contiguous();
  };
  keep_outputs("float/");
  quantize(graph, inputs, options);
  keep_outputs("simulated/");

  const auto lowered = quant::lower_to_qdq(graph);
  exec::PlanOptions observing{.optimize = false};
  for (const auto& node : lowered.nodes())
    for (int k = 0; k < node.outputs; ++k) observing.observe.push_back(node.output(k));
  observing.observer = [&](std::string_view name, const at::Tensor& value) {
    file.tensors[std::string(name)] = value.contiguous().clone();
  };
  exec::Plan(lowered, observing).run(inputs);
  io::write_safetensors(options.values, file);
  io::export_onnx(lowered, options.qdq);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("quantises an ONNX model and keeps all values");
  Options options;
  app.add_option("model", options.model)->required();
  app.add_option("--inputs", options.inputs)->required();
  app.add_option("--quantizer", options.quantizer);
  app.add_option("--arguments", options.arguments);
  app.add_option("--qdq", options.qdq)->required();
  app.add_option("--values", options.values)->required();
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
  } catch (...) {
    std::cerr << compress::current_error().render() << "\n";
    return 1;
  }
}
