#include "run/comparable.h"

#include "exec/plan.h"
#include "graph/text_form.h"
#include "support/tensors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>

#include <catch2/catch.hpp>

namespace compress::run {

namespace {

std::vector<std::vector<at::Tensor>> random_batches(const Graph& graph, const RandomInputs& choice) {
  std::vector<std::vector<at::Tensor>> batches;
  for_random_inputs(graph, choice, [&](const auto& inputs) { batches.push_back(inputs); });
  return batches;
}

}  // namespace

TEST_CASE("comparable: batch-norm is folded, nodes without effect go, the function stays", "[run]") {
  auto graph = parse_graph(R"(graph g(x: float[N,3,4,4]) -> (y = last)
parameter w: float[2,3,1,1]
parameter gamma: float[2]
parameter beta: float[2]
parameter mean: float[2] fixed
parameter variance: float[2] fixed
conv = Conv(x, %w) kernel_shape=[1,1]
bn = BatchNormalization(conv, %gamma, %beta, %mean, %variance)
nothing = Identity(bn)
last = Relu(nothing)
)");
  double seed = 0;
  for (const auto& name : graph.parameter_names()) {
    const auto shape = graph.parameter(name).value.sizes().vec();
    graph.assign(name, (name == "variance" ? test::wild_positive(shape) : test::wild(shape, ++seed)).to(at::kFloat));
  }
  const auto folded = comparable(graph);
  REQUIRE(folded.node_count() == 2);
  const at::Tensor inputs[] = {test::wild({5, 3, 4, 4}, 9).to(at::kFloat)};
  const auto before = exec::Plan(graph, {.optimize = false}).run(inputs)[0];
  const auto after = exec::Plan(folded, {.optimize = false}).run(inputs)[0];
  REQUIRE((before - after).abs().max().item<double>() < 1e-5);
  REQUIRE(graph.node_count() == 4);
}

TEST_CASE("for_random_inputs: as many samples as asked for, the same at each call", "[run]") {
  const auto graph = parse_graph("graph g(x: float[N,4], index: int64[N,3]) -> (y = a)\na = Relu(x)\n");
  const auto batches = random_batches(graph, {.samples = 70, .batch_size = 32});
  REQUIRE(batches.size() == 3);
  REQUIRE(batches[2][0].size(0) == 6);
  REQUIRE(at::equal(batches[1][0], random_batches(graph, {.samples = 70, .batch_size = 32})[1][0]));
  REQUIRE_FALSE(at::equal(batches[0][0], batches[1][0]));
  REQUIRE_FALSE(at::equal(batches[0][0], random_batches(graph, {.samples = 70, .batch_size = 32, .seed = 2})[0][0]));
  REQUIRE(batches[0][1].scalar_type() == at::kLong);
  REQUIRE(batches[0][1].min().item<int64_t>() == 0);
  REQUIRE(batches[0][1].max().item<int64_t>() == 1);
}

}  // namespace compress::run
