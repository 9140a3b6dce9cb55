#include "ops/grid_method.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/quantization.h"
#include "support/tensors.h"

#include <ATen/TensorOperators.h>

#include <catch2/catch.hpp>

#include <cmath>

using namespace compress;
using namespace compress::test;

namespace {

Graph quantised_with(const std::string& name, const std::string& yaml, const std::string& text = kResidual) {
  auto graph = filled_graph(text);
  quantize(graph, name, yaml, calibration_of({random_tensor({16, 3, 8, 8}, 21)}));
  return graph;
}

std::string method_of(const Graph& graph, const std::string& quantizer) {
  return graph.node(quantizer).attributes.text("method", "");
}

double number_in(const Graph& graph, const std::string& parameter) {
  return graph.parameter(parameter).value.item<double>();
}

}  // namespace

TEST_CASE("DorefaQuantizer: outputs of ReLUs and weights, nothing else, are on a grid (Distiller)") {
  const auto graph = quantised_with("DorefaQuantizer", "{bits_activations: 3, bits_weights: 1}");
  REQUIRE(graph.find_node("input.quantizer") == nullptr);
  REQUIRE(graph.find_node("bn2.quantizer") == nullptr);
  REQUIRE(method_of(graph, "relu1.quantizer") == "dorefa");
  REQUIRE(graph.node("relu1.quantizer").attributes.integer("signed", 1) == 0);
  REQUIRE(graph.node("conv1.weight.quantizer").attributes.integer("bits", 0) == 1);
}

TEST_CASE("DorefaQuantizer: other values by moving averages on request; biases by their extremes") {
  const auto graph =
      quantised_with("DorefaQuantizer",
                     "{bits_activations: 3, bits_weights: 3, bits_bias: 8, relu_only: false, quantize_inputs: true, "
                     "num_bits_inputs: 8}");
  REQUIRE(method_of(graph, "bn2.quantizer") == "ema");
  REQUIRE(graph.node("input.quantizer").attributes.integer("bits", 0) == 8);
  REQUIRE(method_of(graph, "fc.bias.quantizer") == "minmax");
}

TEST_CASE("DorefaQuantizer: finished weights are odd multiples of half a step on one bit more, masked ones zero") {
  auto graph = quantised_with("DorefaQuantizer", "{bits_weights: 2}");
  const auto mask = numbers({1, 0, 1, 1, 0, 1, 1, 1}).to(at::kFloat).repeat({5, 1});
  graph.parameter("fc.weight").mask = mask;
  graph.assign("fc.weight", graph.parameter("fc.weight").value * mask);
  quant::finish(graph);
  const auto& quantizer = graph.node("fc.weight.quantizer");
  REQUIRE(quantizer.attributes.integer("bits", 0) == 3);
  REQUIRE(number_in(graph, quantizer.inputs[1]) == Approx(1.0 / 3));
  const auto codes = (graph.parameter(quantizer.inputs[0]).value * 3).round();
  REQUIRE(codes.masked_select(mask.eq(0)).eq(0).all().item<bool>());
  REQUIRE(codes.masked_select(mask.eq(1)).abs().remainder(2).eq(1).all().item<bool>());
}

TEST_CASE("WRPNQuantizer: weights between -1 and 1 on Distiller's symmetric grid, outputs of ReLUs up to 1") {
  auto graph = quantised_with("WRPNQuantizer", "{bits_activations: 4, bits_weights: 4}");
  quant::finish(graph);
  REQUIRE(number_in(graph, "fc.weight.quantizer.scale") == Approx(1 / 7.5));
  REQUIRE(number_in(graph, "relu1.quantizer.scale") == Approx(1.0 / 15));
}

TEST_CASE("PACTQuantizer: alphas begin at act_clip_init_val, learn, and may differ by layer") {
  const auto graph = quantised_with(
      "PACTQuantizer", "{bits_activations: 4, bits_weights: 4, overrides: {relu2: {act_clip_init_val: 3}}}");
  REQUIRE(number_in(graph, "relu1.quantizer.alpha") == 8);
  REQUIRE(number_in(graph, "relu2.quantizer.alpha") == 3);
  REQUIRE(graph.parameter("relu1.quantizer.alpha").trainable);
  REQUIRE(method_of(graph, "conv1.weight.quantizer") == "dorefa");
  require_error([] { make_quantizer("PACTQuantizer", "{act_clip_init_val: 0}"); }, "act_clip_init_val");
  require_error([] { make_quantizer("PACTQuantizer", "{act_clip_decay: -1}"); }, "act_clip_decay");
}

TEST_CASE("LsqQuantizer: steps begin at 2 E|x| / sqrt(high), unsigned behind ReLUs") {
  const auto graph = quantised_with("LsqQuantizer", "{bits_activations: 4, bits_weights: 3, num_bits_inputs: 8}");
  const auto& weight = graph.parameter("fc.weight").value;
  REQUIRE(number_in(graph, "fc.weight.quantizer.scale") ==
          Approx(2 * weight.abs().mean().item<double>() / std::sqrt(3)).epsilon(0.01));
  REQUIRE(graph.parameter("fc.weight.quantizer.scale").trainable);
  REQUIRE_FALSE(graph.parameter("fc.weight.quantizer.zero_point").trainable);
  REQUIRE(graph.node("relu1.quantizer").attributes.integer("signed", 1) == 0);
  REQUIRE(graph.node("bn2.quantizer").attributes.integer("signed", 0) == 1);
  REQUIRE(graph.node("relu1.quantizer").attributes.integer("batched", 0) == 1);
  REQUIRE_FALSE(graph.node("fc.weight.quantizer").attributes.has("batched"));
  const auto x = random_tensor({16, 3, 8, 8}, 21);
  REQUIRE(number_in(graph, "input.quantizer.scale") ==
          Approx(2 * x.abs().mean().item<double>() / std::sqrt(127)).epsilon(0.01));
}

TEST_CASE("LsqQuantizer: a layer that is mostly masked begins with the step of the weights that are left") {
  auto graph = filled_graph(kResidual);
  const auto whole = graph.parameter("fc.weight").value.clone();
  graph.assign("fc.weight", whole * at::tensor({1, 0, 0, 0, 0, 0, 0, 1}).to(at::kFloat));
  quantize(graph, "LsqQuantizer", "{bits_weights: 4}");
  const auto left = graph.parameter("fc.weight").value;
  REQUIRE(number_in(graph, "fc.weight.quantizer.scale") ==
          Approx(2 * left.masked_select(left.ne(0)).abs().mean().item<double>() / std::sqrt(7)).epsilon(0.01));
}

TEST_CASE("LsqPlusQuantizer: weights begin at three standard deviations, values have offsets that learn") {
  const auto graph = quantised_with("LsqPlusQuantizer", "{bits_activations: 4, bits_weights: 4}");
  const auto& weight = graph.parameter("fc.weight").value;
  const double reach = std::abs(weight.mean().item<double>()) + 3 * weight.std().item<double>();
  REQUIRE(number_in(graph, "fc.weight.quantizer.scale") == Approx(reach / 8).epsilon(0.001));
  REQUIRE(graph.parameter("bn2.quantizer.offset").trainable);
  REQUIRE(number_in(graph, "bn2.quantizer.offset") < 0);
  REQUIRE(number_in(graph, "relu1.quantizer.offset") == 0);
}

TEST_CASE("TrainedRangeQuantizer: ranges begin with the extremes or by an observer, both ends learn") {
  const auto graph = quantised_with("TrainedRangeQuantizer", "{bits_activations: 4, bits_weights: 4}");
  const auto x = random_tensor({16, 3, 8, 8}, 21);
  REQUIRE(number_in(graph, "input.quantizer.range_min") == Approx(x.min().item<double>()));
  REQUIRE(number_in(graph, "input.quantizer.range_max") == Approx(x.max().item<double>()));
  REQUIRE(graph.parameter("input.quantizer.range_max").trainable);
  const auto reach = graph.parameter("fc.weight").value.abs().max().item<double>();
  REQUIRE(number_in(graph, "fc.weight.quantizer.range_min") == Approx(-reach));
  const auto narrow =
      quantised_with("TrainedRangeQuantizer", "{bits_activations: 4, observer: {class: percentile, percentile: 90}}");
  REQUIRE(number_in(narrow, "input.quantizer.range_max") < 0.9 * x.max().item<double>());
  require_error([] { make_quantizer("TrainedRangeQuantizer", "{observer: sqrn}"); }, "sqrn", "sqnr");
}

TEST_CASE("NemoQuantizer: alphas begin with what calibration sees, bounds of weights with their extremes") {
  const auto graph = quantised_with("NemoQuantizer", "{bits_activations: 4, bits_weights: 4}");
  REQUIRE(method_of(graph, "relu1.quantizer") == "pact");
  REQUIRE(number_in(graph, "relu1.quantizer.alpha") < 8);
  const auto& weight = graph.parameter("conv1.weight").value;
  REQUIRE(number_in(graph, "conv1.weight.quantizer.alpha") == Approx(-weight.min().item<double>()));
  REQUIRE(number_in(graph, "conv1.weight.quantizer.beta") == Approx(weight.max().item<double>()));
  REQUIRE(method_of(graph, "bn2.quantizer") == "ema");
}

TEST_CASE("NCFQuantAwareTrainQuantizer: inputs stay, outputs are on a grid") {
  const auto graph = quantised_with("NCFQuantAwareTrainQuantizer", "{bits_activations: 8, bits_weights: 8}");
  REQUIRE(graph.find_node("input.quantizer") == nullptr);
  REQUIRE(method_of(graph, "fc.quantizer") == "ema");
}
