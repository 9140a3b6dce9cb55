// zoo_files FOLDER [SPEC...]: writes NUMBER.onnx, NUMBER.inputs and NUMBER.outputs (safetensors) for networks of the
// zoo, by default all of them at a small size, and prints a line "NUMBER SPEC" for each. For tests that compare with
// other programs.

#include "core/error.h"
#include "io/onnx.h"
#include "io/safetensors.h"
#include "support/small_zoo.h"
#include "support/wear_in.h"

#include <filesystem>
#include <iostream>

namespace {

namespace fs = std::filesystem;
using namespace compress;

void write(const std::string& spec, const fs::path& path) {
  auto graph = models::build_model(spec, 1);
  test::wear_in(graph);
  const auto x = test::random_input(graph, 3, 7);
  const auto outputs = exec::Plan(graph).run({&x, 1});
  io::TensorFile file;
  for (size_t i = 0; i < outputs.size(); ++i) file.tensors[graph.outputs[i].name] = outputs[i];
  io::export_onnx(graph, path.string() + ".onnx");
  io::write_safetensors(path.string() + ".inputs", {.tensors = {{graph.inputs[0].name, x}}});
  io::write_safetensors(path.string() + ".outputs", file);
}

std::vector<std::string> all_specs() {
  auto specs = test::small_zoo();
  // Forms that small images do not reach.
  for (const auto* spec : {"mobilenet_v2", "vgg11?width=0.1", "googlenet?aux=true", "alexnet?resolution=96&width=0.1"})
    specs.emplace_back(spec);
  return specs;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) return 2;
  try {
    const auto specs = arguments.size() > 1 ? std::vector(arguments.begin() + 1, arguments.end()) : all_specs();
    for (size_t i = 0; i < specs.size(); ++i) {
      write(specs[i], fs::path(arguments[0]) / std::to_string(i));
      std::cout << i << " " << specs[i] << std::endl;
    }
  } catch (...) {
    std::cerr << compress::current_error().render() << "\n";
    return 1;
  }
}
