#include "zoo.h"

#include "graph/text_form.h"
#include "io/onnx.h"
#include "ops/op.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/random_graph.h"
#include "support/small_zoo.h"
#include "support/wear_in.h"

#include <catch2/catch.hpp>

namespace compress {

using test::require_close;
using test::require_error;

namespace {

at::Tensor output_of(const Graph& graph, const at::Tensor& x) {
  return exec::Plan(graph).run({&x, 1})[0];
}

}  // namespace

TEST_CASE("every zoo network verifies, round-trips through ONNX and keeps its text form", "[models]") {
  for (const auto& name : test::small_zoo()) {
    INFO(name);
    auto graph = models::build_model(name, 1);
    ops::verify(graph);
    test::wear_in(graph);
    const auto again = io::import_onnx_bytes(io::export_onnx_bytes(graph), name);
    REQUIRE(print_graph(again) == print_graph(graph));
    const auto x = test::random_input(graph, 2, 7);
    require_close(output_of(again, x), output_of(graph, x), 0);
  }
}

TEST_CASE("every parameter of every zoo network gets a gradient in training", "[models]") {
  for (const auto& name : test::small_zoo()) {
    INFO(name);
    // The deepest ones repeat the blocks of shallower ones.
    if (name.find("110") != std::string::npos || name.find("101") != std::string::npos) continue;
    if (name.find("56_") != std::string::npos || name.find("152") != std::string::npos) continue;
    auto graph = models::build_model(name, 1);
    graph.own_storage();
    for (auto& parameter : graph.parameters()) parameter.value.set_requires_grad(parameter.trainable);
    const auto x = test::random_input(graph, 2, 7);
    at::Tensor sum;
    for (const auto& output : exec::Plan(graph, {.mode = exec::Mode::train}).run({&x, 1}))
      sum = sum.defined() ? sum.add(output.square().sum()) : output.square().sum();
    sum.backward();
    for (const auto& parameter : graph.parameters()) {
      INFO(parameter.name);
      if (parameter.trainable)
        REQUIRE((parameter.value.grad().defined() && parameter.value.grad().isfinite().all().item<bool>()));
    }
  }
}

TEST_CASE("the same seed gives the same weights, another seed others", "[models]") {
  const auto a = models::build_model("resnet20_cifar", 1), b = models::build_model("resnet20_cifar", 1);
  const auto c = models::build_model("resnet20_cifar", 2);
  REQUIRE(a.parameter("conv1.weight").value.equal(b.parameter("conv1.weight").value));
  REQUIRE_FALSE(a.parameter("conv1.weight").value.equal(c.parameter("conv1.weight").value));
}

TEST_CASE("a model's arguments are checked", "[models]") {
  REQUIRE(models::build_model("lenet5?classes=7", 1).parameter("fc2.weight").value.size(0) == 7);
  require_error([] { models::build_model("lenet6", 1); }, "unknown model 'lenet6'", "did you mean 'lenet5'?");
  require_error([] { models::build_model("lenet5?clases=7", 1); }, "'clases'", "did you mean 'classes'?");
  require_error([] { models::build_model("lenet5?classes", 1); },
                "'classes' in the model 'lenet5?classes' is no key=value");
  require_error([] { models::build_model("lenet5?classes=0", 1); }, "'classes'", "in [1, 1000000]");
  require_error([] { models::build_model("resnet18?width=1e9", 1); }, "'width'", "in (0, 16]");
  require_error([] { models::build_model("resnet18?resolution=100000", 1); }, "'resolution'", "in [1, 10000]");
}

TEST_CASE("a model is a zoo name, a file or a folder", "[models]") {
  require_error([] { models::open_model("resnet2_cifar", 1); }, "unknown model 'resnet2_cifar'",
                "did you mean 'resnet20_cifar'?", "an ONNX file or a run directory");
  require_error([] { models::open_model("nowhere/a.onnx", 1); }, "the model file 'nowhere/a.onnx' does not exist");
  require_error([] { models::open_model("lib", 1); }, "the folder 'lib' holds no checkpoint");
}

}  // namespace compress
