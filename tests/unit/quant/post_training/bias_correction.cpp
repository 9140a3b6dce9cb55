#include "quant/post_training/bias_correction.h"

#include "passes/pass.h"
#include "support/check_error.h"
#include "support/quantization.h"

#include <ATen/TensorOperators.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

struct Networks {
  Graph floating, quantised;
};

Networks networks(const std::string& text, const std::string& arguments, const at::Tensor& x) {
  auto floating = filled_graph(text);
  passes::run_all(passes::make_steps({"fold_batchnorm"}), floating);
  auto quantised = floating.clone();
  quantize(quantised, "PostTrainMinMaxQuantizer", arguments, calibration_of({x}));
  return {std::move(floating), std::move(quantised)};
}

at::Tensor mean_error(const Networks& nets, const at::Tensor& x) {
  const auto error = evaluated(nets.quantised, x) - evaluated(nets.floating, x);
  return error.dim() == 4 ? error.mean(at::IntArrayRef{0, 2, 3}) : error.mean(at::IntArrayRef{0});
}

}  // namespace

TEST_CASE("bias_correction: on the samples it saw, the outputs' mean error vanishes") {
  for (const auto& text : {kResidual, kSkip}) {
    const auto x = random_tensor({16, 3, 8, 8}, 3);
    auto nets = networks(text, "{bits_weights: 3, bits_activations: 4}", x);
    const double before = mean_error(nets, x).abs().max().item<double>();
    const auto changes = quant::correct_biases(nets.quantised, nets.floating, calibration_of({x}), 16);
    REQUIRE(changes.nodes_changed == 3);
    const double after = mean_error(nets, x).abs().max().item<double>();
    INFO(before << " -> " << after);
    REQUIRE(before > 1e-3);
    REQUIRE(after < 1e-5);
  }
}

TEST_CASE("bias_correction: batches are one set of samples, and no more than asked for are used") {
  const auto x = random_tensor({12, 3, 8, 8}, 3);
  auto whole = networks(kSkip, "{bits_weights: 3, bits_activations: 4}", x);
  auto parts = Networks{whole.floating.clone(), whole.quantised.clone()};
  quant::correct_biases(whole.quantised, whole.floating, calibration_of({x}), 10);
  quant::correct_biases(parts.quantised, parts.floating, calibration_of({x.narrow(0, 0, 7), x.narrow(0, 7, 5)}), 10);
  for (const auto* name : {"a.bias", "d.bias", "head.bias"})
    REQUIRE(whole.quantised.parameter(name).value.allclose(parts.quantised.parameter(name).value, 1e-5, 1e-6));
}

TEST_CASE("bias_correction: a layer without a bias gets one") {
  const auto text = R"(graph net(input: float[N,4]) -> (output = fc)
parameter fc.weight: float[3,4]
fc = Gemm(input, %fc.weight) transB=1
)";
  const auto x = random_tensor({32, 4}, 3);
  auto nets = networks(text, "{bits_weights: 2}", x);
  const auto changes = quant::correct_biases(nets.quantised, nets.floating, calibration_of({x}), 32);
  REQUIRE(changes.added == std::vector<std::string>{"fc.bias"});
  REQUIRE(nets.quantised.parameter("fc.bias").value.sizes() == at::IntArrayRef{3});
  REQUIRE(mean_error(nets, x).abs().max().item<double>() < 1e-6);
}

TEST_CASE("bias_correction: what cannot be corrected stays as it is") {
  const auto text = R"(graph net(input: float[N,4]) -> (output = sum)
parameter a.weight: float[3,4]
parameter b.weight: float[3,4]
parameter m.weight: float[4,3]
parameter shared.bias: float[3]
a = Gemm(input, %a.weight, %shared.bias) transB=1
b = Gemm(input, %b.weight, %shared.bias) transB=1
m = MatMul(input, %m.weight)
ab = Add(a, b)
sum = Add(ab, m)
)";
  const auto x = random_tensor({8, 4}, 3);
  auto nets = networks(text, "{bits_weights: 2}", x);
  const auto bias = nets.quantised.parameter("shared.bias").value.clone();
  REQUIRE(quant::correct_biases(nets.quantised, nets.floating, calibration_of({x}), 8).empty());
  REQUIRE(nets.quantised.parameter("shared.bias").value.equal(bias));
}

TEST_CASE("bias_correction: masked entries of a bias stay zero") {
  const auto x = random_tensor({8, 3, 8, 8}, 3);
  auto nets = networks(kSkip, "{bits_weights: 3}", x);
  auto& bias = nets.quantised.parameter("d.bias");
  bias.mask = bias.value.new_ones({4});
  bias.mask[2] = 0;
  nets.quantised.assign("d.bias", bias.value * bias.mask);
  quant::correct_biases(nets.quantised, nets.floating, calibration_of({x}), 8);
  REQUIRE(nets.quantised.parameter("d.bias").value[2].item<float>() == 0);
}

TEST_CASE("bias_correction: without samples it says so") {
  const auto x = random_tensor({8, 3, 8, 8}, 3);
  auto nets = networks(kSkip, "{}", x);
  require_error([&] { quant::correct_biases(nets.quantised, nets.floating, calibration_of({}), 8); },
                "bias correction got no calibration sample");
}
