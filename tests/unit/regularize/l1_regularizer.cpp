#include "support/check_error.h"
#include "unit/regularize/support.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::regularize;
using namespace compress::regularize::test;

namespace {

Graph two_layers() {
  auto graph = parse_graph(R"(graph g(input: float[N,2]) -> (output = b)
parameter a.weight: float[2,2]
parameter b.weight: float[2,2]
a = Gemm(input, %a.weight) transB=1
b = Gemm(a, %b.weight) transB=1
)");
  graph.assign("a.weight", at::tensor({-1.f, 2.f, -3.f, 4.f}).view({2, 2}).set_requires_grad(true));
  graph.assign("b.weight", at::tensor({1.f, 1.f, 0.f, 0.5f}).view({2, 2}));
  return graph;
}

std::unique_ptr<Regularizer> bound_l1(const Graph& graph, const std::string& arguments) {
  return bound_regularizer(graph, "L1Regularizer", arguments);
}

}  // namespace

TEST_CASE("L1: the loss is the sum of magnitudes, each parameter with its own strength", "[regularize]") {
  const auto graph = two_layers();
  const auto loss = bound_l1(graph, "reg_regims: {'*': 0.1, b.weight: 2}")->loss(graph);
  REQUIRE(loss.item<float>() == Approx(0.1 * 10 + 2 * 2.5));
  loss.backward();
  REQUIRE(graph.parameter("a.weight").value.grad().flatten().allclose(at::tensor({-0.1f, 0.1f, -0.1f, 0.1f})));
}

TEST_CASE("L1: the threshold is the strength itself", "[regularize]") {
  const auto graph = two_layers();
  REQUIRE_FALSE(bound_l1(graph, "reg_regims: {a.weight: 2}")->thresholds());
  const auto masks = bound_l1(graph, "{reg_regims: {a.weight: 2}, threshold_criteria: Max}")->threshold_masks(graph);
  REQUIRE(masks.size() == 1);
  REQUIRE(masks.at("a.weight").flatten().equal(at::tensor({0.f, 0.f, 1.f, 1.f})));
}

TEST_CASE("L1: follows removals, and remembers them", "[regularize]") {
  const auto graph = two_layers();
  const auto regularizer = bound_l1(graph, "reg_regims: {'*': 1}");
  Changes changes;
  changes.removed = {"a.weight"};
  regularizer->apply(changes);
  const auto resumed = bound_l1(graph, "reg_regims: {'*': 1}");
  resumed->load(regularizer->save());
  REQUIRE(resumed->parameters() == std::vector<std::string>{"b.weight"});
  REQUIRE(resumed->loss(graph).item<float>() == Approx(2.5));
}

TEST_CASE("L1: unknown names and negative strengths are refused", "[regularize]") {
  const auto graph = two_layers();
  compress::test::require_error([&] { bound_l1(graph, "reg_regims: {a.wait: 1}"); }, "'g' has no parameter 'a.wait'");
  compress::test::require_error([&] { bound_l1(graph, "reg_regims: {a.weight: -1}"); },
                                "'reg_regims.a.weight' must be a number at least 0");
}
