// quantize_onnx MODEL --inputs X.safetensors --quantizer NAME [--arguments YAML] [--format onnx-qdq] [--opset N]
// --output OUT.onnx --values V.safetensors
// Quantises a model (ONNX file or network of the zoo; calibrated, or its ranges trained, on X), writes it in a format
// of `compress export` and runs the written graph on X. V holds, as our executor computes them: each value of an
// integer type and each value dequantised from 4 bits or from floating point of 8 bits, by name; "lowered/NAME",
// "simulated/NAME" and "float/NAME" for each output. For tests that compare with other programs.

#include "core/error.h"
#include "exec/plan.h"
#include "io/onnx.h"
#include "io/safetensors.h"
#include "ops/op.h"
#include "quant/export/export_formats.h"
#include "quant/quantizer.h"
#include "support/small_zoo.h"
#include "support/wear_in.h"

#include <ATen/core/grad_mode.h>

#include <CLI/CLI.hpp>

#include <iostream>

namespace {

using namespace compress;

struct Options {
  std::string model, inputs, quantizer = "PostTrainMinMaxQuantizer", arguments = "{}", format = "onnx-qdq", output,
                             values;
  std::optional<int> opset;
};

std::vector<at::Tensor> read_inputs(const Graph& graph, const Options& options) {
  const auto given = io::read_safetensors(options.inputs).tensors;
  std::vector<at::Tensor> inputs;
  for (const auto& input : graph.inputs)
    inputs.push_back(graph.inputs.size() == 1 ? given.begin()->second : given.at(input.name));
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

/// A network of the zoo whose statistics have seen a batch.
Graph worn_in(const std::string& spec) {
  auto graph = models::build_model(spec, 1);
  test::wear_in(graph);
  return graph;
}

/// What is compared: integers, and real numbers where the integers have types that NumPy has not.
std::vector<std::string> integers_of(const Graph& lowered) {
  const auto infos = ops::infer(lowered, 2);
  std::vector<std::string> names;
  for (const auto& node : lowered.nodes()) {
    const bool small = node.op == "DequantizeLinear" && !lowered.find_parameter(node.inputs[0]) &&
                       (node.attributes.has("bits") || at::isFloat8Type(infos.at(node.inputs[0]).type));
    for (int k = 0; k < node.outputs; ++k)
      if (small || at::isIntegralType(infos.at(node.output(k)).type, /*includeBool=*/false))
        names.push_back(node.output(k));
  }
  return names;
}

void run(const Options& options) {
  auto graph = options.model.ends_with(".onnx") ? io::import_onnx(options.model) : worn_in(options.model);
  const auto inputs = read_inputs(graph, options);
  io::TensorFile file;
  const auto keep_outputs = [&](const std::string& prefix) {
    const auto outputs = exec::Plan(graph, {.optimize = false}).run(inputs);
    for (size_t i = 0; i < outputs.size(); ++i) file.tensors[prefix + graph.outputs[i].name] = outputs[i].contiguous();
  };
  keep_outputs("float/");
  quantize(graph, inputs, options);
  keep_outputs("simulated/");

  const auto lowered = quant::export_format(options.format).lower(graph, options.opset.value_or(io::kUsualOpset));
  exec::PlanOptions observing{.optimize = false};
  observing.observe = integers_of(lowered);
  observing.observer = [&](std::string_view name, const at::Tensor& value) {
    file.tensors[std::string(name)] = value.contiguous().clone();
  };
  const auto outputs = exec::Plan(lowered, observing).run(inputs);
  for (size_t i = 0; i < outputs.size(); ++i)
    file.tensors["lowered/" + graph.outputs[i].name] = outputs[i].contiguous();
  io::write_safetensors(options.values, file);
  io::export_onnx(lowered, options.output, {.opset = options.opset});
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("quantises an ONNX model and keeps all values");
  Options options;
  app.add_option("model", options.model)->required();
  app.add_option("--inputs", options.inputs)->required();
  app.add_option("--quantizer", options.quantizer);
  app.add_option("--arguments", options.arguments);
  app.add_option("--format", options.format);
  app.add_option("--opset", options.opset);
  app.add_option("--output", options.output)->required();
  app.add_option("--values", options.values)->required();
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
  } catch (...) {
    std::cerr << compress::current_error().render() << "\n";
    return 1;
  }
}
