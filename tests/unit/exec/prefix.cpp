#include "networks.h"
#include "support/check_error.h"
#include "support/random_graph.h"

using namespace compress;
using namespace compress::test;

namespace {

Graph residual() {
  return network(
      "graph g(x: float[N,4,8,8]) -> (y = fc, mid = act1)\nparameter w1: float[4,4,3,3]\nparameter w2: float[4,4,3,3]\n"
      "parameter w3: float[4,4,1,1]\nparameter fc.weight: float[5,4]\nparameter fc.bias: float[5]\n" +
      batch_norm_parameters("bn", 4) +
      "conv1 = Conv(x, %w1) pads=[1,1,1,1]\nact1 = Relu(conv1)\nconv2 = Conv(act1, %w2) pads=[1,1,1,1]\n" +
      batch_norm("bn", "conv2") +
      "conv3 = Conv(act1, %w3)\nsum = Add(bn, conv3)\nact = Relu(sum)\npool = GlobalAveragePool(act)\n"
      "flat = Flatten(pool)\nfc = Gemm(flat, %fc.weight, %fc.bias) transB=1\n");
}

}  // namespace

TEST_CASE("prefix: stopping before any node and going on gives the bits of one run, as often as wished", "[exec]") {
  const auto graph = residual();
  const exec::Tensors inputs{image({70, 4, 8, 8})};
  for (const bool optimize : {false, true}) {
    const exec::Plan plan(graph, {.optimize = optimize});
    const auto whole = plan.run(inputs);
    for (const Node& node : graph.nodes()) {
      INFO(node.name << (optimize ? " optimised" : " plain"));
      const auto live = plan.run_until(node.name, inputs);
      for (int repeat = 0; repeat < 2; ++repeat) {
        const auto rest = plan.run_from(node.name, live);
        REQUIRE(rest[0].equal(whole[0]));
        REQUIRE(rest[1].equal(whole[1]));
      }
    }
  }
}

TEST_CASE("prefix: another plan goes on with other parameters behind the node", "[exec]") {
  const auto graph = residual();
  auto changed = graph.clone();
  changed.assign("w2", graph.parameter("w2").value.mul(0.5));
  const exec::Tensors inputs{image({5, 4, 8, 8})};
  const auto live = exec::Plan(graph).run_until("conv2", inputs);
  const exec::Plan other(changed);
  REQUIRE(other.run_from("conv2", live)[0].equal(other.run(inputs)[0]));
}

TEST_CASE("prefix: a node that melts into a later step does not hide what runs between", "[exec]") {
  const auto graph = residual();
  auto changed = graph.clone();
  changed.assign(
      "w3", graph.parameter("w3").value.mul(-2));  // conv3 stands behind conv2, but runs before the step that holds it
  const exec::Tensors inputs{image({5, 4, 8, 8})};
  const auto live = exec::Plan(graph).run_until("conv2", inputs);
  const exec::Plan other(changed);
  REQUIRE(other.run_from("conv2", live)[0].equal(other.run(inputs)[0]));
}

TEST_CASE("prefix: plans that melt nodes differently share saved values", "[exec]") {
  const auto graph = residual();
  const exec::Tensors inputs{image({5, 4, 8, 8})};
  const exec::Plan fused(graph), observed(graph, {.observe = {"bn", "conv2"}}), plain(graph, {.optimize = false});
  for (const std::string node : {"bn", "conv3", "sum", "act"}) {
    INFO(node);
    require_same_outputs(observed.run_from(node, fused.run_until(node, inputs)), plain.run(inputs));
    require_same_outputs(plain.run_from(node, fused.run_until(node, inputs)), plain.run(inputs));
  }
}

TEST_CASE("prefix: going on by parts gives the bits of one run", "[exec]") {
  const auto graph = residual();
  const exec::Tensors inputs{image({70, 4, 8, 8})};
  for (const bool optimize : {false, true}) {
    const exec::Plan plan(graph, {.optimize = optimize});
    const auto whole = plan.run(inputs);
    std::string before = "conv1";
    auto live = plan.run_until(before, inputs);
    for (const Node& node : graph.nodes()) {
      INFO(before << " to " << node.name << (optimize ? " optimised" : " plain"));
      live = plan.run_between(before, live, node.name);
      REQUIRE(plan.run_from(node.name, live)[0].equal(whole[0]));
      REQUIRE(plan.run_from(node.name, live)[1].equal(whole[1]));
      before = node.name;
    }
  }
}

TEST_CASE("prefix: values that do not suffice and unknown nodes are told", "[exec]") {
  const exec::Plan plan(residual());
  require_error([&] { plan.run_from("fc", {}); }, "the saved values do not allow to start graph 'g' from node 'fc'");
  require_error([&] { plan.run_from("cnov2", {}); }, "graph 'g' has no node 'cnov2'", "did you mean 'conv2'?");
}

TEST_CASE("prefix: random networks", "[exec]") {
  for (uint64_t seed = 20; seed < 24; ++seed) {
    const auto graph = random_graph(seed);
    const exec::Tensors inputs{random_input(graph, 6, seed)};
    const exec::Plan plan(graph);
    const auto whole = plan.run(inputs)[0];
    for (const Node& node : graph.nodes())
      REQUIRE(plan.run_from(node.name, plan.run_until(node.name, inputs))[0].equal(whole));
  }
}
