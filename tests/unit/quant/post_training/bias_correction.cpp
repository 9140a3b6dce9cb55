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

TEST_CASE("bias_correction: without room for what runs before a layer, samples run from the start, to the same bits") {
  const auto x = random_tensor({24, 3, 8, 8}, 3);
  const auto corrected = [&](int64_t most_bytes, int& readings) {
    auto nets = networks(kResidual, "{bits_weights: 3, bits_activations: 4}", x);
    const quant::CalibrationBatches batches = [&](const auto& consume) {
      ++readings;
      for (int64_t at = 0; at < 24; at += 8) consume({x.narrow(0, at, 8)});
    };
    quant::correct_biases(nets.quantised, nets.floating, batches, 20, most_bytes);
    std::vector<at::Tensor> biases;
    for (const char* layer : {"conv1", "conv2", "fc"})
      biases.push_back(nets.quantised.parameter(std::string(layer) + ".bias").value);
    return biases;
  };
  int roomy = 0;
  const auto expected = corrected(int64_t{1} << 30, roomy);
  REQUIRE(roomy == 2);  // the reference, and the first layer
  for (const int64_t bytes : {0, 1, 7000, 20000, 50000}) {
    INFO(bytes);
    int readings = 0;
    const auto found = corrected(bytes, readings);
    for (size_t i = 0; i < expected.size(); ++i) REQUIRE(found[i].equal(expected[i]));
    if (bytes == 0) REQUIRE(readings == 4);  // the reference, and every layer
  }
}

TEST_CASE("bias_correction: without samples it says so") {
  const auto x = random_tensor({8, 3, 8, 8}, 3);
  auto nets = networks(kSkip, "{}", x);
  require_error([&] { quant::correct_biases(nets.quantised, nets.floating, calibration_of({}), 8); },
                "bias correction got no calibration sample");
}
