// onnx_roundtrip IN.onnx [--inputs X.safetensors --outputs Y.safetensors] [--export OUT.onnx [--opset N]]
//                [--gradients G.safetensors]
// Imports a model, prints its text form, runs it and exports it again; with --gradients it also trains one step's
// worth: the gradients of all parameters for the sum of the squared outputs, in train mode. For tests that compare with
// other programs.

#include "core/error.h"
#include "exec/plan.h"
#include "graph/text_form.h"
#include "io/onnx.h"
#include "io/safetensors.h"

#include <ATen/TensorOperators.h>

#include <CLI/CLI.hpp>

#include <iostream>

namespace {

struct Options {
  std::string model, inputs, outputs, target, gradients;
  int opset = 17;
  bool quiet = false;
};

void run_model(const compress::Graph& graph, const Options& options) {
  const auto given = compress::io::read_safetensors(options.inputs).tensors;
  std::vector<at::Tensor> inputs;
  for (const auto& input : graph.inputs) inputs.push_back(given.at(input.name));
  const auto outputs = compress::exec::Plan(graph).run(inputs);
  compress::io::TensorFile file;
  for (size_t i = 0; i < outputs.size(); ++i) file.tensors[graph.outputs[i].name] = outputs[i];
  compress::io::write_safetensors(options.outputs, file);
}

void write_gradients(compress::Graph& graph, const Options& options) {
  const auto given = compress::io::read_safetensors(options.inputs).tensors;
  std::vector<at::Tensor> inputs;
  for (const auto& input : graph.inputs) inputs.push_back(given.at(input.name));
  for (auto& parameter : graph.parameters())
    if (parameter.trainable) parameter.value.requires_grad_(true);
  at::Tensor loss;
  for (const auto& output : compress::exec::Plan(graph, {.mode = compress::ops::Mode::train}).run(inputs))
    loss = loss.defined() ? loss + output.square().sum() : output.square().sum();
  loss.backward();
  compress::io::TensorFile file;
  for (const auto& parameter : graph.parameters())
    if (parameter.trainable && parameter.value.grad().defined())
      file.tensors[parameter.name] = parameter.value.grad().contiguous();
  compress::io::write_safetensors(options.gradients, file);
}

void run(const Options& options) {
  auto graph = compress::io::import_onnx(options.model);
  const auto text = compress::print_graph(graph);
  if (!options.quiet) std::cout << text;
  if (!options.inputs.empty()) run_model(graph, options);
  if (!options.gradients.empty()) write_gradients(graph, options);
  if (options.target.empty()) return;
  compress::io::export_onnx(graph, options.target, {.opset = options.opset});
  if (compress::print_graph(compress::io::import_onnx(options.target)) != text)
    throw compress::run_error("'{}' has another text form after export and import", options.model);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("imports, runs and exports an ONNX model");
  Options options;
  app.add_option("model", options.model)->required();
  app.add_option("--inputs", options.inputs);
  app.add_option("--outputs", options.outputs);
  app.add_option("--export", options.target);
  app.add_option("--gradients", options.gradients);
  app.add_option("--opset", options.opset);
  app.add_flag("--quiet", options.quiet);
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
  } catch (...) {
    std::cerr << compress::current_error().render() << "\n";
    return 1;
  }
}
