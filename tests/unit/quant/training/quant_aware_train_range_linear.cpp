#include "exec/plan.h"
#include "support/check_error.h"
#include "support/quantization.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>

#include <regex>

using namespace compress;
using namespace compress::test;

namespace {

const std::string kRangeLinear = "QuantAwareTrainRangeLinearQuantizer";
const std::string kEightBits =
    "{bits_activations: 8, bits_weights: 8, mode: ASYMMETRIC_UNSIGNED, per_channel_wts: true, ema_decay: 0.9}";

}  // namespace

TEST_CASE("quantisation-aware training: convolution and batch-norm become one node") {
  auto graph = filled_graph(kResidual);
  quantize(graph, kRangeLinear, kEightBits);
  REQUIRE(std::regex_replace(wiring(graph), std::regex(", [%_][^,)]*"), "") ==
          R"(input.quantizer = FakeQuantize(input)
conv1 = ConvBatchNormalization(input.quantizer)
relu1 = Relu(conv1)
relu1.quantizer = FakeQuantize(relu1)
conv2 = ConvBatchNormalization(relu1.quantizer)
conv2.quantizer = FakeQuantize(conv2)
add = Add(conv2.quantizer, relu1.quantizer)
relu2 = Relu(add)
relu2.quantizer = FakeQuantize(relu2)
pool = GlobalAveragePool(relu2.quantizer)
pool.quantizer = FakeQuantize(pool)
flat = Flatten(pool.quantizer)
fc.weight.quantizer = FakeQuantize(%fc.weight)
fc = Gemm(flat, fc.weight.quantizer)
)");
  const std::vector<std::string> owned{"conv1.weight.quantizer.scale", "conv1.weight.quantizer.zero_point"};
  const auto& inputs = graph.node("conv1").inputs;
  REQUIRE(std::vector(inputs.end() - 2, inputs.end()) == owned);
  REQUIRE(graph.node("input.quantizer").attributes.number("ema_decay", 0) == 0.9);
  REQUIRE(graph.node("fc.weight.quantizer").attributes.text("method", "") == "minmax");
}

TEST_CASE("quantisation-aware training: 30 steps lower the loss; weights, gamma and biases have gradients") {
  auto graph = filled_graph(kResidual);
  quantize(graph, kRangeLinear, kEightBits);
  const auto losses = gradient_descent(graph, 30, 0.05);
  REQUIRE(losses.back() < 0.8 * losses.front());
  for (const auto* name :
       {"conv1.weight", "conv2.weight", "bn1.weight", "bn1.bias", "bn2.weight", "fc.weight", "fc.bias"}) {
    INFO(name);
    const auto& gradient = graph.parameter(name).value.grad();
    REQUIRE(gradient.defined());
    REQUIRE(gradient.abs().sum().item<float>() > 0);
  }
}

TEST_CASE("quantisation-aware training: ranges are bias-corrected moving averages, and stand still in evaluation") {
  auto graph = filled_graph(kSkip);
  quantize(graph, kRangeLinear, "{bits_activations: 8, mode: ASYMMETRIC_SIGNED, ema_decay: 0.5}");
  graph.own_storage();
  const exec::Plan plan(graph, {.mode = exec::Mode::train});
  const auto step = [&](double reach) {
    const at::NoGradGuard no_grad;
    const auto x = random_tensor({2, 3, 8, 8}, 3);
    const at::Tensor inputs[] = {x / x.abs().max() * reach};
    plan.run(inputs);
    return inputs[0].max().item<double>();
  };
  const double first = step(1), second = step(4);
  // biased: 0.5 first, then 0.25 first + 0.5 second; corrected by 1 - 0.5^t.
  REQUIRE(graph.parameter("input.quantizer.range_max").value.item<double>() ==
          Approx((0.25 * first + 0.5 * second) / 0.75));
  REQUIRE(graph.parameter("input.quantizer.steps").value.item<double>() == 2);
  const auto before = graph.parameter("input.quantizer.range_max").value.clone();
  evaluated(graph, random_tensor({2, 3, 8, 8}, 4) * 100);
  REQUIRE(graph.parameter("input.quantizer.range_max").value.equal(before));
}

TEST_CASE("quantisation-aware training: values that share a grid each have their own average, the grid covers all") {
  auto graph = filled_graph(kSkip);
  quantize(graph, kRangeLinear, "{bits_activations: 8, mode: ASYMMETRIC_UNSIGNED, ema_decay: 0.9}");
  REQUIRE(graph.node("d_relu.quantizer").attributes.integer("slot", -1) == 1);
  graph.own_storage();
  const exec::Plan plan(graph, {.mode = exec::Mode::train});
  const at::NoGradGuard no_grad;
  const at::Tensor inputs[] = {random_tensor({2, 3, 8, 8}, 3)};
  plan.run(inputs);
  plan.run(inputs);
  const auto high = graph.parameter("a_relu.quantizer.range_max").value;
  REQUIRE(high.sizes() == at::IntArrayRef{2});
  REQUIRE(high[0].item<float>() != high[1].item<float>());
  REQUIRE(graph.parameter("a_relu.quantizer.scale").value.item<double>() == Approx(high.max().item<double>() / 255));
}

TEST_CASE("quantisation-aware training: Distiller's arguments and defaults") {
  auto graph = filled_graph(kResidual);
  REQUIRE(quantize(graph, kRangeLinear, "{}").empty());  // 32 bits: nothing to do
  graph = filled_graph(kResidual);
  quantize(graph, kRangeLinear,
           "{bits_activations: 8, bits_weights: 8, bits_bias: 16, quantize_inputs: false, fold_batchnorm: false}");
  REQUIRE(graph.find_node("input.quantizer") == nullptr);
  REQUIRE(graph.find_node("bn1") != nullptr);
  REQUIRE(graph.node("fc.bias.quantizer").attributes.integer("bits", 0) == 16);
  REQUIRE(graph.node("conv1.weight.quantizer").attributes.integer("symmetric", 0) == 1);
  REQUIRE_FALSE(graph.node("conv1.weight.quantizer").attributes.has("axis"));
  graph = filled_graph(kResidual);
  quantize(graph, kRangeLinear, "{bits_activations: 4, num_bits_inputs: 8}");
  REQUIRE(graph.node("input.quantizer").attributes.integer("bits", 0) == 8);
  REQUIRE(graph.node("relu1.quantizer").attributes.integer("bits", 0) == 4);
  REQUIRE_FALSE(make_quantizer(kRangeLinear, "{}")->post_training());
  require_error([] { make_quantizer(kRangeLinear, "{mode: SYMETRIC}"); }, "SYMETRIC", "SYMMETRIC_RESTRICTED");
  require_error([] { make_quantizer(kRangeLinear, "{ema_decay: 1}"); }, "ema_decay");
}
