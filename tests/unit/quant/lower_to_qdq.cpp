#include "ops/op.h"
#include "support/check_error.h"
#include "unit/quant/support.h"

#include <ATen/TensorOperators.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

Graph simulated(const std::string& text, const std::string& yaml) {
  auto graph = filled_graph(text);
  quantize(graph, "PostTrainMinMaxQuantizer", yaml, calibration_of({random_tensor({8, 3, 8, 8}, 9)}));
  quant::finish(graph);
  return graph;
}

/// The share of outputs that are equal.
double agreement(const at::Tensor& a, const at::Tensor& b) {
  return a.eq(b).sum().item<double>() / static_cast<double>(a.numel());
}

}  // namespace

TEST_CASE("lowering: the QDQ graph computes what the simulated one computes") {
  // Beyond the calibrated range too: both must clip alike.
  const auto x = random_tensor({64, 3, 8, 8}, 11) * 1.5;
  for (const std::string yaml :
       {"{}", "{bits_activations: 4, bits_weights: 4}", "{activations: symmetric, per_channel_weights: false}",
        "{activations: asymmetric_signed, bits_activations: 6, bits_weights: 3}", "{quantize_outputs: true}",
        "{overrides: {'conv2|d': {bits_activations: null, bits_weights: null}}}"}) {
    for (const auto& text : {kResidual, kSkip}) {
      INFO(yaml);
      const auto graph = simulated(text, yaml);
      const auto lowered = quant::lower_to_qdq(graph);
      ops::verify(lowered);
      REQUIRE(agreement(evaluated(lowered, x), evaluated(graph, x)) == 1);
    }
  }
}

TEST_CASE("lowering: weights are int8, biases int32, values a QuantizeLinear and a DequantizeLinear") {
  const auto lowered = quant::lower_to_qdq(simulated(kSkip, "{}"));
  const auto type = [&](const char* name) { return lowered.parameter(name).value.scalar_type(); };
  REQUIRE(type("a.weight") == at::kChar);
  REQUIRE(type("a.bias") == at::kInt);
  REQUIRE(type("input.quantizer.zero_point") == at::kByte);
  REQUIRE(type("a.weight.quantizer.zero_point") == at::kChar);
  REQUIRE(lowered.node("a.weight.quantizer").attributes.integer("axis", -1) == 0);
  REQUIRE(lowered.parameter("a.weight").value.abs().max().item<int>() == 127);
  const auto text = wiring(lowered);
  REQUIRE_THAT(text, Catch::Contains(R"(
a_relu.quantizer.quantize = QuantizeLinear(a_relu, %a_relu.quantizer.scale, %a_relu.quantizer.zero_point)
a_relu.quantizer = DequantizeLinear(a_relu.quantizer.quantize, %a_relu.quantizer.scale, %a_relu.quantizer.zero_point)
)"));
  REQUIRE_THAT(text, Catch::Contains("a.bias.quantizer = DequantizeLinear(%a.bias, %a.bias.quantizer.scale)\n"));
  REQUIRE_THAT(text, !Catch::Contains("FakeQuantize"));
  REQUIRE_THAT(text, !Catch::Contains("quantizer.clip"));
}

TEST_CASE("lowering: grids below 8 bits are cut off by a Clip") {
  const auto lowered = quant::lower_to_qdq(simulated(kSkip, "{bits_activations: 4, bits_weights: 4}"));
  REQUIRE(lowered.node("a_relu.quantizer.quantize").inputs[0] == "a_relu.quantizer.clip");
  const auto scale = lowered.parameter("a_relu.quantizer.scale").value.item<float>();
  REQUIRE(lowered.node("a_relu.quantizer.clip").attributes.number("max", 0) == Approx(15 * scale));
  REQUIRE(lowered.node("a_relu.quantizer.clip").attributes.number("min", 1) == 0);
  REQUIRE(lowered.parameter("a.weight").value.abs().max().item<int>() == 7);
}

TEST_CASE("lowering: a graph that finish() has not seen is finished first; the given one stays as it is") {
  auto graph = filled_graph(kResidual);
  quantize(graph, "PostTrainMinMaxQuantizer", "{}", calibration_of({random_tensor({8, 3, 8, 8}, 9)}));
  const auto before = wiring(graph);
  REQUIRE_THAT(wiring(quant::lower_to_qdq(graph)), Catch::Contains("conv1.bias.quantizer = DequantizeLinear("));
  REQUIRE(wiring(graph) == before);
  REQUIRE(graph.parameter("conv1.weight").value.scalar_type() == at::kFloat);
}

TEST_CASE("lowering: a weight that others read in floating point too gets integers of its own") {
  auto graph = filled_graph(R"(graph tied(input: float[N,3,8,8]) -> (output = b)
parameter w.weight: float[3,3,1,1]
a = Conv(input, %w.weight) kernel_shape=[1,1]
b = Conv(a, %w.weight) kernel_shape=[1,1]
)");
  quantize(graph, "PostTrainMinMaxQuantizer", "{overrides: {b: {bits_weights: null}}}",
           calibration_of({random_tensor({8, 3, 8, 8}, 9)}));
  const auto x = random_tensor({8, 3, 8, 8}, 9);
  const auto lowered = quant::lower_to_qdq(graph);
  REQUIRE(lowered.parameter("w.weight").value.scalar_type() == at::kFloat);
  REQUIRE(lowered.parameter("w.weight.codes").value.scalar_type() == at::kChar);
  REQUIRE(agreement(evaluated(lowered, x), evaluated(graph, x)) == 1);
}

TEST_CASE("lowering: more than 8 bits have no QDQ form") {
  require_error([] { quant::lower_to_qdq(simulated(kSkip, "{bits_activations: 12}")); },
                "'input.quantizer' has 12 bits", "QDQ files carry at most 8", "quantise to 8 bits or fewer");
}
