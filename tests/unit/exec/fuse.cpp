#include "exec/fuse.h"

#include "networks.h"

using namespace compress;
using namespace compress::test;

namespace {

/// A convolution 3 -> 4 (or as `attributes` say) and what follows it.
Graph behind_convolution(const std::string& lines,
                         const std::string& output,
                         const std::string& attributes = "pads=[1,1,1,1]") {
  return network("graph g(x: float[N,4,6,7]) -> (y = " + output +
                 ")\nparameter w: float[4,4,3,3]\nparameter b: float[4]\n" + batch_norm_parameters("bn", 4) +
                 "conv = Conv(x, %w, %b) " + attributes + "\n" + lines);
}

void require_fused(const Graph& graph, size_t steps) {
  const exec::Plan plan(graph);
  INFO(plan.str());
  REQUIRE(step_count(plan) == steps);
  const exec::Tensors inputs{image({3, 4, 6, 7})};
  require_same_outputs(plan.run(inputs), run_plan(graph, inputs, false));
}

}  // namespace

TEST_CASE("fuse: convolution and batch-norm become one step", "[exec]") {
  require_fused(behind_convolution(batch_norm("bn", "conv"), "bn"), 1);
}

TEST_CASE("fuse: every activation that LibTorch knows melts into the convolution", "[exec]") {
  for (const std::string activation :
       {"Relu(bn)", "Clip(bn) min=0 max=6", "LeakyRelu(bn) alpha=0.2", "Sigmoid(bn)", "Tanh(bn)", "HardSwish(bn)",
        "Gelu(bn)", "Gelu(bn) approximate=\"tanh\"", "Swish(bn)"}) {
    INFO(activation);
    require_fused(behind_convolution(batch_norm("bn", "conv") + "act = " + activation + "\n", "act"), 1);
  }
}

TEST_CASE("fuse: a residual addition with and without Relu melts into the convolution, on either side", "[exec]") {
  require_fused(behind_convolution(batch_norm("bn", "conv") + "sum = Add(bn, x)\n", "sum"), 1);
  require_fused(behind_convolution("sum = Add(x, conv)\nact = Relu(sum)\n", "act"), 1);
  require_fused(behind_convolution(batch_norm("bn", "conv") + "sum = Add(x, bn)\nact = Relu(sum)\n", "act"), 1);
}

TEST_CASE("fuse: behind an addition only Relu melts", "[exec]") {
  require_fused(behind_convolution("sum = Add(x, conv)\nact = Clip(sum) min=0 max=6\n", "act"), 2);
}

TEST_CASE("fuse: two convolutions that meet in an addition melt it into one of them", "[exec]") {
  require_fused(
      network("graph g(x: float[N,4,6,7]) -> (y = act)\nparameter w: float[4,4,3,3]\nparameter v: float[4,4,1,1]\n"
              "a = Conv(x, %w) pads=[1,1,1,1]\nb = Conv(x, %v)\nsum = Add(a, b)\nact = Relu(sum)\n"),
      2);
}

TEST_CASE("fuse: the addition of a value to itself stays", "[exec]") {
  require_fused(behind_convolution("sum = Add(conv, conv)\n", "sum"), 2);
}

TEST_CASE("fuse: an addition that broadcasts stays", "[exec]") {
  require_fused(behind_convolution("pool = GlobalAveragePool(x)\nsum = Add(conv, pool)\n", "sum"), 3);
}

TEST_CASE("fuse: the chain of a residual block overwrites nothing that is read again", "[exec]") {
  require_fused(
      behind_convolution(
          "first = Relu(conv)\nc2 = Conv(first, %w, %b) pads=[1,1,1,1]\nsum = Add(c2, first)\nact = Relu(sum)\n"
          "c3 = Conv(act, %w, %b) pads=[1,1,1,1]\nsum2 = Add(c3, first)\n",
          "sum2"),
      3);
}

TEST_CASE("fuse: a value that two nodes read stays", "[exec]") {
  require_fused(behind_convolution(batch_norm("bn", "conv") + "act = Relu(bn)\nsum = Mul(bn, act)\n", "sum"), 3);
}

TEST_CASE("fuse: depthwise, strided, dilated and grouped convolutions fold and melt", "[exec]") {
  const auto head =
      "graph g(x: float[N,4,6,7]) -> (y = act)\nparameter w: float[4,1,3,3]\n" + batch_norm_parameters("bn", 4);
  const auto tail = batch_norm("bn", "conv") + "act = Clip(bn) min=0 max=6\n";
  require_fused(network(head + "conv = Conv(x, %w) group=4 pads=[1,1,1,1]\n" + tail), 1);
  require_fused(network(head + "conv = Conv(x, %w) group=4 strides=[2,2] dilations=[2,2] pads=[2,2,2,2]\n" + tail), 1);
  const auto grouped =
      "graph g(x: float[N,4,6,7]) -> (y = act)\nparameter w: float[6,2,3,3]\n" + batch_norm_parameters("bn", 6);
  require_fused(network(grouped + "conv = Conv(x, %w) group=2 pads=[1,1,1,1]\n" + tail), 1);
}

TEST_CASE("fuse: padding on one side only runs as it is", "[exec]") {
  require_fused(behind_convolution(batch_norm("bn", "conv"), "bn", "pads=[0,0,1,1]"), 2);
}

TEST_CASE("fuse: weights behind a quantiser are evaluated at compilation", "[exec]") {
  require_fused(
      network("graph g(x: float[N,4,6,7]) -> (y = act)\nparameter w: float[4,4,3,3]\nparameter scale: float[4]\n"
              "parameter zero: float[4]\n" +
              batch_norm_parameters("bn", 4) +
              "q = FakeQuantize(%w, %scale, %zero) axis=0 bits=8\nconv = Conv(x, q)\n" + batch_norm("bn", "conv") +
              "act = Relu(bn)\n"),
      1);
}

TEST_CASE("fuse: the quantised convolution with batch-norm melts like any other", "[exec]") {
  require_fused(
      network("graph g(x: float[N,4,6,7]) -> (y = act)\nparameter w: float[4,4,3,3]\nparameter scale: float[4]\n"
              "parameter zero: float[4]\n" +
              batch_norm_parameters("bn", 4) +
              "conv = ConvBatchNormalization(x, %w, _, %bn.gamma, %bn.beta, %bn.mean, %bn.var, %scale, %zero) bits=8 "
              "pads=[1,1,1,1]\nsum = Add(conv, x)\nact = Relu(sum)\n"),
      1);
}

TEST_CASE("fuse: batch-norm before a convolution melts with its activation", "[exec]") {
  require_fused(network("graph g(x: float[N,4,6,7]) -> (y = conv)\nparameter w: float[4,4,3,3]\n" +
                        batch_norm_parameters("bn", 4) + batch_norm("bn", "x") +
                        "act = Relu(bn)\nconv = Conv(act, %w)\n"),
                2);
}

TEST_CASE("fuse: observed values come into being and are what the plain graph computes", "[exec]") {
  const auto graph = behind_convolution(batch_norm("bn", "conv") + "sum = Add(bn, x)\nact = Relu(sum)\n", "act");
  const exec::Tensors inputs{image({3, 4, 6, 7})};
  for (const std::string name : {"conv", "bn", "sum", "act", "x"}) {
    exec::Tensors seen[2];
    for (const bool optimize : {false, true}) {
      exec::PlanOptions options{.observe = {name}, .optimize = optimize};
      options.observer = [&](std::string_view value, const at::Tensor& tensor) {
        REQUIRE(value == name);
        seen[optimize].push_back(tensor.clone());
      };
      exec::Plan(graph, options).run(inputs);
    }
    INFO(name);
    REQUIRE(seen[0].size() == 1);
    require_same_outputs(seen[1], seen[0]);
  }
}
