#include "exec/plan.h"

#include "networks.h"
#include "support/check_error.h"
#include "support/random_graph.h"

using namespace compress;
using namespace compress::test;

namespace {

Graph two_branches() {
  return network("graph g(a: float[N,2,5,5], b: float[N,2,5,5]) -> (sum = sum, left = conv, raw = b, weight = w)\n"
                 "parameter w: float[2,2,3,3]\nparameter v: float[2,2,1,1]\n"
                 "conv = Conv(a, %w) pads=[1,1,1,1]\nright = Conv(b, %v)\nact = Relu(right)\nsum = Add(conv, act)\n");
}

}  // namespace

TEST_CASE("plan: an optimised plan computes what the plain one computes, on random networks and odd batches",
          "[exec]") {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const auto graph = random_graph(seed);
    const exec::Plan plain(graph, {.optimize = false}), fast(graph);
    for (const int64_t batch : {1, 3, 67}) {
      INFO("seed " << seed << ", batch " << batch << "\n" << fast.str());
      const exec::Tensors inputs{random_input(graph, batch, seed)};
      require_same_outputs(fast.run(inputs), plain.run(inputs));
    }
  }
}

TEST_CASE("plan: same inputs, same bits", "[exec]") {
  const auto graph = random_graph(5);
  const exec::Tensors inputs{random_input(graph, 40, 1)};
  const exec::Plan plan(graph);
  REQUIRE(plan.run(inputs)[0].equal(plan.run(inputs)[0]));
  REQUIRE(plan.run(inputs)[0].equal(exec::Plan(graph).run(inputs)[0]));
}

TEST_CASE("plan: two inputs; outputs that are inner values, inputs and parameters, all contiguous", "[exec]") {
  const auto graph = two_branches();
  const exec::Tensors inputs{image({33, 2, 5, 5}, 1), image({33, 2, 5, 5}, 2)};
  const auto fast = run_plan(graph, inputs, true), plain = run_plan(graph, inputs, false);
  require_same_outputs(fast, plain);
  REQUIRE(fast[2].equal(inputs[1]));
  REQUIRE(fast[3].equal(graph.parameter("w").value));
  for (const auto& output : fast) REQUIRE(output.is_contiguous());
}

TEST_CASE("plan: an eval plan is a snapshot of the parameters and leaves no gradient", "[exec]") {
  auto graph = network("graph g(x: float[N,2,5,5]) -> (y = conv)\nparameter w: float[2,2,3,3]\nconv = Conv(x, %w)\n");
  graph.parameter("w").value.requires_grad_(true);
  const exec::Tensors inputs{image({2, 2, 5, 5})};
  const exec::Plan plan(graph);
  const auto before = plan.run(inputs)[0];
  REQUIRE_FALSE(before.requires_grad());
  graph.assign("w", image({2, 2, 3, 3}, 9));
  REQUIRE(plan.version() != graph.version());
  REQUIRE(plan.run(inputs)[0].equal(before));
}

TEST_CASE("plan: the text names what was fused and what is freed", "[exec]") {
  const auto graph =
      network("graph g(x: float[N,2,5,5]) -> (y = pool)\nparameter w: float[2,2,3,3]\nconv = Conv(x, %w)\n"
              "act = Relu(conv)\npool = GlobalAveragePool(act)\n");
  const auto text = exec::Plan(graph).str();
  INFO(text);
  REQUIRE(text.find("act = Conv + Relu(x)  frees x\n") != std::string::npos);
  REQUIRE(text.find("pool = GlobalAveragePool(act)  frees act\n") != std::string::npos);
}

TEST_CASE("plan: wrong inputs are told apart", "[exec]") {
  const exec::Plan plan(two_branches());
  const auto good = image({3, 2, 5, 5});
  require_error([&] { plan.run(exec::Tensors{good}); }, "graph 'g' takes 2 inputs, but got 1");
  require_error(
      [&] {
        plan.run(exec::Tensors{good, image({3, 2, 5, 4})});
      },
      "input 'b' has shape 3x2x5x4, but graph 'g' takes Nx2x5x5");
  require_error(
      [&] {
        plan.run(exec::Tensors{good, good.to(at::kDouble)});
      },
      "input 'b' has elements of type Double, but graph 'g' takes Float");
  require_error([&] { plan.run(exec::Tensors{good, at::Tensor()}); }, "input 'b' has shape none");
}

TEST_CASE("plan: a value to observe that does not exist gets the nearest name", "[exec]") {
  require_error([] { exec::Plan(two_branches(), {.observe = {"rihgt"}}); }, "graph 'g' has no value 'rihgt' to observe",
                "did you mean 'right'?");
}

TEST_CASE("plan: a kernel's error names the node", "[exec]") {
  const auto graph = network("graph g(a: float[N,3], b: float[N,4]) -> (y = sum)\nsum = Add(a, b)\n");
  const exec::Plan plan(graph);
  require_error([&] { plan.run(exec::Tensors{image({2, 3}), image({2, 4})}); }, "while running node 'sum' (Add)");
}

TEST_CASE("plan: one node runs alone", "[exec]") {
  const auto graph = two_branches();
  const auto x = image({2, 2, 5, 5});
  require_close(exec::run_node(graph.node("act"), exec::Tensors{x})[0], x.clamp_min(0), 0);
  require_error(
      [&] {
        exec::run_node(graph.node("sum"), exec::Tensors{x, image({7})});
      },
      "while running node 'sum' (Add)");
}

TEST_CASE("plan: a refreshed plan has the bits of a new one", "[exec]") {
  auto graph = network("graph g(x: float[N,4,8,8]) -> (y = fc, weight = twice)\nparameter w: float[4,4,3,3]\nparameter "
                       "f: float[1] fixed\n" +
                       batch_norm_parameters("bn", 4) +
                       "parameter fc.weight: float[5,4]\nparameter fc.bias: float[5]\ntwice = Mul(%w, %f)\n"
                       "conv = Conv(x, twice) pads=[1,1,1,1]\n" +
                       batch_norm("bn", "conv") +
                       "act = Relu(bn)\nsum = Add(act, x)\nscaled = Mul(sum, %f)\npool = GlobalAveragePool(scaled)\n"
                       "flat = Flatten(pool)\nfc = Gemm(flat, %fc.weight, %fc.bias) transB=1\n");
  const exec::Tensors inputs{image({9, 4, 8, 8}, 1)};
  for (const bool optimize : {true, false}) {
    exec::Plan plan(graph, {.optimize = optimize});
    const auto before = plan.run(inputs);
    for (const std::string name : {"f", "w", "bn.gamma", "fc.weight", "fc.bias"}) {
      INFO(name << (optimize ? " optimised" : " plain"));
      graph.writable(name).mul_(1.5);
      const auto old = plan.run(inputs);
      plan.refresh(graph, std::vector{name});
      REQUIRE(plan.version() == graph.version());
      const auto now = plan.run(inputs), fresh = exec::Plan(graph, {.optimize = optimize}).run(inputs);
      REQUIRE(now[0].equal(fresh[0]));
      REQUIRE(now[1].equal(fresh[1]));
      REQUIRE_FALSE(now[0].equal(old[0]));
    }
  }
}

TEST_CASE("plan: refreshing takes over what is named, and refuses another network", "[exec]") {
  auto graph = two_branches();
  exec::Plan plan(graph);
  const exec::Tensors inputs{image({3, 2, 5, 5}, 1), image({3, 2, 5, 5}, 2)};
  const auto before = plan.run(inputs);
  graph.writable("w").mul_(2);
  graph.writable("v").mul_(2);
  plan.refresh(graph, std::vector<std::string>{"w"});
  const auto after = plan.run(inputs);
  REQUIRE_FALSE(after[1].equal(before[1]));
  REQUIRE(after[3].equal(graph.parameter("w").value));
  require_error([&] { plan.refresh(graph, std::vector<std::string>{"u"}); }, "'u'");
  graph.replace_uses("act", "right");
  graph.erase("act");
  require_error([&] { plan.refresh(graph, std::vector<std::string>{"v"}); },
                "graph 'g' has other nodes than when its plan was made");
}
