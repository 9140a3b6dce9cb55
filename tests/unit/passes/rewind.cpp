#include "graph/text_form.h"
#include "passes/pass.h"
#include "support/check_error.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::require_error;

namespace {

Graph two_linear() {
  return parse_graph("graph g(x: float[N,2]) -> (b)\nparameter a.weight: float[2,2]\nparameter b.weight: float[2,2]\n"
                     "a = Gemm(x, %a.weight) transB=1\nb = Gemm(a, %b.weight) transB=1\n");
}

struct Masks {
  Graph graph = two_linear();
  Graph pruned = two_linear();
  std::unique_ptr<passes::Pass> pass = passes::passes().make("take_masks");

  Masks() {
    for (auto* each : {&graph, &pruned})
      for (const char* name : {"a.weight", "b.weight"}) each->assign(name, at::ones({2, 2}).mul(3));
    pruned.assign("a.weight", at::tensor({1.f, 0.f, 0.f, 2.f}).view({2, 2}));
  }
  void bind(const std::string& arguments) {
    Settings settings;
    pass->declare(settings);
    settings.read(parse_yaml(arguments, "test.yaml"), "take_masks");
    Problems problems;
    pass->bind(
        graph, [this](const std::string&) { return pruned.clone(); }, problems);
    problems.raise();
  }
};

}  // namespace

TEST_CASE("rewind: the parameters get their values back, times their masks") {
  auto graph = two_linear();
  for (const char* name : {"a.weight", "b.weight"}) graph.assign(name, at::ones({2, 2}).mul(5));
  graph.parameter("a.weight").mask = at::tensor({1.f, 0.f, 1.f, 1.f}).view({2, 2});
  const auto pass = passes::passes().make("rewind");
  REQUIRE(pass->remembers() == 0);
  REQUIRE(pass->resets_optimizer());
  pass->recall({{"a.weight", at::ones({2, 2}).mul(2)}, {"gone", at::ones({1})}});
  REQUIRE(passes::run(*pass, "rewind", graph).empty());
  REQUIRE(graph.parameter("a.weight").value.equal(at::tensor({2.f, 0.f, 2.f, 2.f}).view({2, 2})));
  REQUIRE(graph.parameter("b.weight").value.equal(at::ones({2, 2}).mul(5)));
}

TEST_CASE("rewind: outside of training there is nothing to go back to") {
  auto graph = two_linear();
  const auto pass = passes::passes().make("rewind");
  require_error([&] { passes::run(*pass, "rewind", graph); },
                "'rewind' goes back to an earlier epoch of training, and there is none", "use it in a recipe");
}

TEST_CASE("take masks: what is zero in the pruned model is masked here") {
  Masks world;
  world.bind("{model: pruned.onnx}");
  passes::run(*world.pass, "take_masks", world.graph);
  REQUIRE(world.graph.parameter("a.weight").mask.equal(at::tensor({1.f, 0.f, 0.f, 1.f}).view({2, 2})));
  REQUIRE(world.graph.parameter("a.weight").value.equal(at::tensor({3.f, 0.f, 0.f, 3.f}).view({2, 2})));
  REQUIRE_FALSE(world.graph.parameter("b.weight").mask.defined());
}

TEST_CASE("take masks: models that do not fit are refused before anything runs") {
  Masks none;
  require_error([&] { none.bind("{model: pruned.onnx, weights: [b.weight]}"); },
                "'pruned.onnx' has no zeros in these weights: there are no masks to take");
  require_error([&] { none.bind("{model: pruned.onnx, weights: [c.weight]}"); }, "'c.weight'");
  Masks thinned;
  thinned.pruned.assign("a.weight", at::zeros({1, 2}));
  require_error([&] { thinned.bind("{model: pruned.onnx}"); }, "'a.weight' is 1x2 in 'pruned.onnx' and 2x2 here",
                "masks come from a pruned model that was not thinned");
  Masks other;
  other.pruned.rename_parameter("b.weight", "b.wide.weight");
  require_error([&] { other.bind("{model: pruned.onnx}"); }, "'pruned.onnx' has no parameter 'b.weight'",
                "did you mean 'a.weight'?");
}
