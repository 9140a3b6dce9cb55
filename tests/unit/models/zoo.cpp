#include "zoo.h"

#include "analysis/cost.h"
#include "analysis/coupled_channels.h"
#include "core/random.h"
#include "exec/plan.h"
#include "graph/text_form.h"
#include "io/onnx.h"
#include "ops/op.h"
#include "passes/pass.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/random_graph.h"

#include <catch2/catch.hpp>

namespace compress {

using test::require_close;
using test::require_error;

namespace {

/// Batch-norm statistics and factors as after training: not 0 and 1.
void wear_in(Graph& graph) {
  Random random(1, "wear in");
  for (const auto& node : graph.nodes()) {
    if (node.op != "BatchNormalization") continue;
    for (size_t input = 1; input <= 4; ++input) {
      auto& tensor = graph.writable(node.inputs[input]);
      auto* data = tensor.data_ptr<float>();
      for (int64_t i = 0; i < tensor.numel(); ++i)
        data[i] = static_cast<float>(input == 1 || input == 4 ? random.uniform(0.5, 1.5) : random.uniform(-0.3, 0.3));
    }
  }
}

at::Tensor output_of(const Graph& graph, const at::Tensor& x) {
  return exec::Plan(graph).run({&x, 1})[0];
}

}  // namespace

TEST_CASE("every zoo network verifies, round-trips through ONNX and keeps its text form", "[models]") {
  for (const auto& name : models::zoo().names()) {
    INFO(name);
    auto graph = models::build_model(name, 1);
    ops::verify(graph);
    wear_in(graph);
    const auto again = io::import_onnx_bytes(io::export_onnx_bytes(graph), name);
    REQUIRE(print_graph(again) == print_graph(graph));
    const auto x = test::random_input(graph, 2, 7);
    require_close(output_of(again, x), output_of(graph, x), 0);
  }
}

TEST_CASE("the same seed gives the same weights, another seed others", "[models]") {
  const auto a = models::build_model("resnet20_cifar", 1), b = models::build_model("resnet20_cifar", 1);
  const auto c = models::build_model("resnet20_cifar", 2);
  REQUIRE(a.parameter("conv1.weight").value.equal(b.parameter("conv1.weight").value));
  REQUIRE_FALSE(a.parameter("conv1.weight").value.equal(c.parameter("conv1.weight").value));
}

TEST_CASE("sizes and costs are the published ones", "[models]") {
  const auto cost = [](const char* name) { return analysis::cost(models::build_model(name, 1)); };
  REQUIRE(cost("lenet5").parameters == 431080);
  REQUIRE(cost("resnet20_cifar").weights == 270896);
  REQUIRE(cost("resnet20_cifar").macs == 40813184);
  REQUIRE(cost("resnet56_cifar").weights == 851504);
  REQUIRE(cost("resnet56_cifar").macs == 125747840);
  REQUIRE(cost("simplenet_cifar").macs == 352800 + 240000 + 48000 + 10080 + 840);
}

TEST_CASE("resnet20_cifar has Distiller's parameter names in Distiller's order", "[models]") {
  const auto graph = models::build_model("resnet20_cifar", 1);
  std::vector<std::string> names;
  for (const auto& parameter : graph.parameters())
    if (parameter.trainable) names.push_back(parameter.name);
  REQUIRE(names.size() == 65);
  const std::vector<std::string> first{"conv1.weight", "bn1.weight", "bn1.bias", "layer1.0.conv1.weight",
                                       "layer1.0.bn1.weight"};
  REQUIRE(std::vector<std::string>(names.begin(), names.begin() + 5) == first);
  REQUIRE(std::count(names.begin(), names.end(), "layer2.0.downsample.0.weight") == 1);
  REQUIRE(std::count(names.begin(), names.end(), "layer3.0.downsample.1.bias") == 1);
  REQUIRE(names.back() == "fc.bias");
}

TEST_CASE("a model's arguments are checked", "[models]") {
  REQUIRE(models::build_model("lenet5?classes=7", 1).parameter("fc2.weight").value.size(0) == 7);
  require_error([] { models::build_model("lenet6", 1); }, "unknown model 'lenet6'", "did you mean 'lenet5'?");
  require_error([] { models::build_model("lenet5?clases=7", 1); }, "'clases'", "did you mean 'classes'?");
  require_error([] { models::build_model("lenet5?classes", 1); },
                "'classes' in the model 'lenet5?classes' is no key=value");
  require_error([] { models::build_model("lenet5?classes=0", 1); }, "'classes'", "at least 1");
}

TEST_CASE("a model is a zoo name, a file or a folder", "[models]") {
  require_error([] { models::open_model("resnet2_cifar", 1); }, "unknown model 'resnet2_cifar'",
                "did you mean 'resnet20_cifar'?", "an ONNX file or a run directory");
  require_error([] { models::open_model("nowhere/a.onnx", 1); }, "the model file 'nowhere/a.onnx' does not exist");
  require_error([] { models::open_model("lib", 1); }, "the folder 'lib' holds no checkpoint");
}

}  // namespace compress
