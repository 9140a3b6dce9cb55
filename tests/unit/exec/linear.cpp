#include "exec/linear.h"

#include "networks.h"

using namespace compress;
using namespace compress::test;

namespace {

Graph layer(const std::string& lines, const std::string& output, const std::string& gemm = "Gemm(x, %w, %b) transB=1") {
  return network("graph g(x: float[N,80]) -> (y = " + output +
                 ")\nparameter w: float[70,80]\nparameter b: float[70]\n" + batch_norm_parameters("bn", 70) +
                 "fc = " + gemm + "\n" + lines);
}

void require_packed(const Graph& graph, size_t steps) {
  const exec::Plan plan(graph);
  INFO(plan.str());
  REQUIRE(step_count(plan) == steps);
  for (const int64_t batch : {1, 5, 64}) {
    const exec::Tensors inputs{image({batch, 80})};
    require_same_outputs(plan.run(inputs), run_plan(graph, inputs, false));
  }
}

}  // namespace

TEST_CASE("linear: packed layers compute the same, with or without bias, batch-norm and activation", "[exec]") {
  require_packed(layer("", "fc"), 1);
  require_packed(layer("", "fc", "Gemm(x, %w) transB=1"), 1);
  require_packed(layer("act = Relu(fc)\n", "act"), 1);
  require_packed(layer(batch_norm("bn", "fc") + "act = Relu(bn)\n", "act"), 1);
  require_packed(layer("act = Clip(fc) min=0 max=1\n", "act"), 1);
}

TEST_CASE("linear: a layer in another form runs as it is", "[exec]") {
  require_packed(layer("act = Relu(fc)\n", "act", "Gemm(x, %w, %b) transB=1 alpha=0.5"), 2);
  require_packed(layer("act = Relu(fc)\n", "act", "Gemm(x, %w, %b) transB=1 beta=0.5"), 2);
}

TEST_CASE("linear: an addition behind it stays", "[exec]") {
  require_packed(layer("s = Add(fc, fc)\n", "s"), 2);
}

TEST_CASE("linear: an eval plan keeps its weights when the graph's change in place, packed or not", "[exec]") {
  for (const std::string gemm : {"Gemm(x, %w, %b) transB=1", "Gemm(x, %w, %b) transB=1 alpha=0.5"}) {
    auto graph = layer("", "fc", gemm);
    const exec::Tensors inputs{image({3, 80})};
    const exec::Plan plan(graph);
    const auto before = plan.run(inputs)[0];
    for (auto& parameter : graph.parameters()) parameter.value.mul_(2);
    REQUIRE(plan.run(inputs)[0].equal(before));
  }
}
