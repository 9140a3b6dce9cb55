#include "exec/batch_norm_function.h"
#include "training.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/randn.h>
#include <torch/csrc/autograd/autograd.h>

using namespace compress;
using namespace compress::test;

namespace {

Graph normalised(const std::string& lines, int channels = 5) {
  const auto count = std::to_string(channels);
  auto graph = network("graph g(x: float[N," + count + ",6,6]) -> (y = y)\nparameter w: float[" + count + "," + count +
                       ",3,3]\n" + batch_norm_parameters("bn", channels) + batch_norm_parameters("bn2", channels) +
                       "c = Conv(x, %w) pads=[1,1,1,1]\n" + batch_norm("bn", "c") + lines);
  graph.erase_unused_parameters();
  return graph;
}

}  // namespace

TEST_CASE("normalization: training steps equal those of single kernels in outputs, gradients and statistics",
          "[exec]") {
  const exec::Tensors inputs{image({7, 5, 6, 6})};
  require_same_training(normalised("y = Mul(bn, x)\n"), inputs, 3);
  require_same_training(normalised("y = Relu(bn)\n"), inputs, 2);
  require_same_training(normalised("y = Clip(bn) min=-0.5 max=0.5\n"), inputs, 2);
  require_same_training(normalised("y = Add(bn, x)\n"), inputs, 2);
  require_same_training(normalised("s = Add(x, bn)\ny = Relu(s)\n"), inputs, 2);
  require_same_training(normalised(batch_norm("bn2", "x") + "s = Add(bn, bn2)\ny = Relu(s)\n"), inputs, 3);
  require_same_training(normalised("y = Sigmoid(bn)\n"), inputs, 3);
}

TEST_CASE("normalization: any number of channels and rows", "[exec]") {
  for (const int channels : {1, 3, 16, 40}) {
    INFO(channels << " channels");
    require_same_training(normalised("s = Add(bn, x)\ny = Relu(s)\n", channels), {image({3, channels, 6, 6})}, 2);
  }
  const auto wide = network("graph g(x: float[N,2000]) -> (y = y)\n" + batch_norm_parameters("bn", 2000) +
                            batch_norm("bn", "x") + "y = Relu(bn)\n");
  require_same_training(wide, {image({9, 2000})}, 1);
}

TEST_CASE("normalization: a gradient that others hold is left alone", "[exec]") {
  // s is read twice: the gradient of the addition goes to both batch-norms.
  const auto graph = normalised("r = Relu(bn)\n" + batch_norm("bn2", "x") + "s = Add(r, bn2)\ny = Mul(s, s)\n");
  require_same_training(graph, {image({4, 5, 6, 6})}, 4);
}

TEST_CASE("normalization: random networks train the same", "[exec]") {
  const auto graph = network(
      "graph g(x: float[N,3,9,9]) -> (y = fc, mid = r1)\nparameter w1: float[8,3,3,3]\nparameter w2: float[8,8,3,3]\n"
      "parameter fc.weight: float[4,8]\n" +
      batch_norm_parameters("b1", 8) + batch_norm_parameters("b2", 8) + "c1 = Conv(x, %w1)\n" + batch_norm("b1", "c1") +
      "r1 = Relu(b1)\nc2 = Conv(r1, %w2) pads=[1,1,1,1]\n" + batch_norm("b2", "c2") +
      "s = Add(b2, r1)\nr2 = Relu(s)\npool = GlobalAveragePool(r2)\nflat = Flatten(pool)\n"
      "fc = Gemm(flat, %fc.weight) transB=1\n");
  require_same_training(graph, {image({6, 3, 9, 9})}, 7);
}

TEST_CASE("normalization: means far from zero do not cost precision", "[exec]") {
  const auto x = image({8, 6, 10, 10}).add(1000).contiguous(at::MemoryFormat::ChannelsLast);
  const auto sizes = exec::Extent{800, 6};
  const auto moments = exec::moments(x.const_data_ptr<float>(), sizes);
  const auto wide = x.to(at::kDouble);
  for (int64_t c = 0; c < 6; ++c) {
    const auto channel = wide.select(1, c);
    REQUIRE(moments.mean[c] == Approx(channel.mean().item<double>()).epsilon(1e-9));
    REQUIRE(moments.variance[c] == Approx(channel.var(false).item<double>()).epsilon(1e-5));
  }
}

TEST_CASE("normalization: second derivatives are those of single kernels", "[exec]") {
  const auto x = image({4, 3, 5, 5}).contiguous(at::MemoryFormat::ChannelsLast).requires_grad_(true);
  const auto gamma = image({3}, 2).requires_grad_(true), beta = image({3}, 3).requires_grad_(true);
  const auto other = image({4, 3, 5, 5}, 4).contiguous(at::MemoryFormat::ChannelsLast).requires_grad_(true);
  const auto second = [&](const at::Tensor& y) {
    const auto first =
        torch::autograd::grad({y.pow(3).sum()}, {x, gamma, beta, other}, {}, std::nullopt, /*create_graph=*/true);
    const auto scalar =
        first[0].square().sum().add(first[1].square().sum()).add(first[2].sum()).add(first[3].square().sum());
    return torch::autograd::grad({scalar}, {x, gamma, beta, other});
  };
  const auto zeros = at::Tensor(x.detach().new_zeros({3})), ones = x.detach().new_ones({3});
  const auto fused =
      second(exec::train_batch_norm({x, gamma, beta, zeros.clone(), ones.clone(), other, 1e-5, 0.1, exec::kRelu}));
  const auto plain = second(
      at::batch_norm(x, gamma, beta, zeros.clone(), ones.clone(), true, 0.1, 1e-5, false).add(other).clamp_min(0));
  require_same_outputs(fused, plain, 1e-3);
}

TEST_CASE("normalization: NaN stays visible", "[exec]") {
  auto x = image({2, 3, 4, 4});
  x.view({-1})[5] = std::numeric_limits<float>::quiet_NaN();
  const auto graph = network("graph g(x: float[N,3,4,4]) -> (y = y)\n" + batch_norm_parameters("bn", 3) +
                             batch_norm("bn", "x") + "y = Relu(bn)\n");
  for (const auto mode : {ops::Mode::eval, ops::Mode::train})
    REQUIRE(exec::Plan(graph, {.mode = mode}).run(exec::Tensors{x})[0].isnan().any().item<bool>());
}

TEST_CASE("normalization: double precision takes the plain kernels", "[exec]") {
  auto graph = network("graph g(x: double[N,3,4,4]) -> (y = y)\n" + batch_norm_parameters("bn", 3) +
                       batch_norm("bn", "x") + "y = Relu(bn)\n");
  for (const auto& name : graph.parameter_names()) graph.assign(name, graph.parameter(name).value.to(at::kDouble));
  const exec::Tensors inputs{wild({2, 3, 4, 4})};
  require_same_outputs(run_plan(graph, inputs, true), run_plan(graph, inputs, false), 1e-12);
}
