#include "ops/op.h"
#include "quant/export/lowering.h"
#include "support/check_error.h"
#include "unit/quant/export/lowered.h"

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
  const auto graph = quantized_network(kTied, "{overrides: {b: {bits_weights: null}}}");
  const auto x = random_tensor({8, 3, 8, 8}, 9);
  const auto lowered = quant::lower_to_qdq(graph);
  REQUIRE(lowered.parameter("w.weight").value.scalar_type() == at::kFloat);
  REQUIRE(lowered.parameter("w.weight.codes").value.scalar_type() == at::kChar);
  REQUIRE(agreement(evaluated(lowered, x), evaluated(graph, x)) == 1);
}

namespace {

/// Simulation, lowered graph and the graph read back from a file compute the same.
void require_written(Graph graph, int opset, std::optional<int> written = {}) {
  quant::finish(graph);
  const auto lowered = quant::lower_to_qdq(graph, opset);
  ops::verify(lowered);
  const auto x = random_tensor({8, 3, 8, 8}, 11) * 1.5;
  const auto expected = evaluated(graph, x);
  REQUIRE(agreement(evaluated(lowered, x), expected) == 1);
  REQUIRE(agreement(evaluated(through_onnx(lowered, written), x), expected) == 1);
}

}  // namespace

TEST_CASE("lowering: a file that was read again computes what was written") {
  for (const auto& text : {kResidual, kSkip})
    for (const int opset : {13, 17, 21, 24}) require_written(quantized_network(text), opset, opset);
}

TEST_CASE("lowering: from opset 21 on constants of 4 bits are int4 and uint4, two to a byte; values stay bytes") {
  for (const int bits : {2, 3, 4}) {
    auto graph = quantized_network(kSkip, fmt::format("{{bits_activations: {}, bits_weights: {}}}", bits, bits));
    require_written(graph.clone(), 21);
    const auto lowered = quant::lower_to_qdq(graph, 21);
    REQUIRE(lowered.node("a.weight.quantizer").attributes.integer("bits", 8) == 4);
    REQUIRE_FALSE(lowered.node("a_relu.quantizer").attributes.has("bits"));
    REQUIRE(lowered.parameter("a_relu.quantizer.zero_point").value.scalar_type() == at::kByte);
    REQUIRE(lowered.node("a_relu.quantizer.quantize").inputs[0] == "a_relu.quantizer.clip");
    REQUIRE(io::usual_opset(lowered) == 21);
    const auto again = through_onnx(lowered);
    REQUIRE(again.parameter("a.weight").value.equal(lowered.parameter("a.weight").value));
    REQUIRE(wiring(again) == wiring(lowered));
    REQUIRE(io::export_onnx_bytes(again).size() == io::export_onnx_bytes(lowered).size());
  }
}

TEST_CASE("lowering: a constant among values of dynamic grids is on a grid of its own, as simulated") {
  auto graph = filled_graph(R"(graph joined(input: float[1,3,8,8]) -> (output = conv)
parameter places: float[1,2,8,8]
parameter conv.weight: float[4,5,1,1]
joined = Concat(%places, input) axis=1
conv = Conv(joined, %conv.weight)
)");
  quantize(graph, "PostTrainQuantizer", "{dynamic: true}");
  REQUIRE(graph.node("places.quantizer").attributes.text("method", "") == "fixed");
  REQUIRE(graph.node("input.quantizer").attributes.text("method", "") == "dynamic");
  const auto x = random_tensor({1, 3, 8, 8}, 4) * 20;
  const auto lowered = quant::lower_to_qdq(graph);
  REQUIRE(lowered.parameter("places").value.scalar_type() == at::kByte);
  REQUIRE(evaluated(lowered, x).equal(evaluated(graph, x)));
}

TEST_CASE("lowering: an older opset has no 4-bit integers, and says so") {
  const auto lowered = quant::lower_to_qdq(quantized_network(kSkip, "{bits_weights: 4}"), 21);
  require_error([&] { io::export_onnx_bytes(lowered, {.opset = 20}); },
                "node 'a.weight.quantizer' (DequantizeLinear) works with integers of 4 bits",
                "which ONNX has since opset 21; the file shall have opset 20", "export with opset 21 or later");
}

TEST_CASE("lowering: groups of input channels are blocks") {
  for (const int bits : {4, 8}) {
    auto graph = quantized_network(kResidual, "{overrides: {conv1: {bits_weights: 8}}}");
    const ops::GridSpec spec{.bits = bits, .is_signed = true, .narrow = true, .symmetric = true};
    put_on_grid(graph, "conv2.weight.quantizer", spec, {0, 1, 4});
    put_on_grid(graph, "fc.weight.quantizer", spec, {0, 1, 2});
    require_written(graph.clone(), 21);
    const auto lowered = quant::lower_to_qdq(graph, 21);
    REQUIRE(lowered.node("conv2.weight.quantizer").attributes.integer("block_size", 0) == 4);
    REQUIRE(quant::lower_to_qdq(graph).node("conv2.weight.quantizer").attributes.integer("bits", 8) == bits);
    REQUIRE(lowered.node("conv2.weight.quantizer").attributes.integer("axis", 0) == 1);
    REQUIRE(lowered.parameter("conv2.weight.quantizer.scale").value.sizes().vec() == std::vector<int64_t>{8, 2, 3, 3});
    REQUIRE(lowered.parameter("fc.weight.quantizer.scale").value.sizes().vec() == std::vector<int64_t>{5, 4});
    require_error([&] { io::export_onnx_bytes(quant::lower_to_qdq(graph), {.opset = 17}); },
                  bits == 4 ? "integers of 4 bits" : "'block_size'", "opset 21");
  }
}

TEST_CASE("lowering: 9 to 16 bits are int16 and uint16, narrower grids cut off by a Clip") {
  for (const auto* activations : {"symmetric", "asymmetric_unsigned", "asymmetric_signed"})
    for (const int bits : {9, 12, 16}) {
      auto graph = quantized_network(
          kSkip, fmt::format("{{bits_activations: {}, bits_weights: {}, activations: {}}}", bits, bits, activations));
      require_written(graph.clone(), 21);
      const auto lowered = quant::lower_to_qdq(graph, 21);
      REQUIRE(lowered.parameter("a.weight").value.scalar_type() == at::kShort);
      if (bits < 16) REQUIRE(lowered.find_node("a_relu.quantizer.clip") != nullptr);
      REQUIRE(io::usual_opset(lowered) == 21);
    }
}

TEST_CASE(
    "lowering: only biases on the grid of the sums are int32: runtimes take such for those, whatever their scale") {
  const auto wide = quant::lower_to_qdq(quantized_network(kSkip, "{bits_weights: 12}"));
  REQUIRE(wide.parameter("a.weight").value.scalar_type() == at::kShort);
  REQUIRE(wide.parameter("a.bias").value.scalar_type() == at::kInt);
  REQUIRE(io::usual_opset(wide) == 21);
  const auto lowered = [](const char* yaml) {
    auto graph = filled_graph(kSkip);
    quantize(graph, "PostTrainQuantizer", yaml, calibration_of({random_tensor({8, 3, 8, 8}, 9)}));
    return quant::lower_to_qdq(graph, 21);
  };
  REQUIRE(lowered("{bits_bias: 12}").parameter("a.bias").value.scalar_type() == at::kShort);
  const auto narrow = lowered("{bits_accum: 16}");
  REQUIRE(narrow.parameter("a.bias").value.scalar_type() == at::kInt);
  REQUIRE_FALSE(narrow.node("a.bias.quantizer").has_input(2));
}

TEST_CASE("lowering: a constant on the grid of values of 4 bits is bytes as they are") {
  auto graph = filled_graph(R"(graph joined(input: float[1,3,8,8]) -> (output = conv)
parameter places: float[1,2,8,8]
parameter conv.weight: float[4,5,1,1]
joined = Concat(%places, input) axis=1
conv = Conv(joined, %conv.weight)
)");
  quantize(graph, "PostTrainQuantizer", "{bits_weights: 4, bits_activations: 4}",
           calibration_of({random_tensor({1, 3, 8, 8}, 9)}));
  const auto lowered = quant::lower_to_qdq(graph, 21);
  REQUIRE_FALSE(lowered.node("places.quantizer").attributes.has("bits"));
  REQUIRE(lowered.node("conv.weight.quantizer").attributes.integer("bits", 8) == 4);
  const auto x = random_tensor({1, 3, 8, 8}, 4);
  REQUIRE(evaluated(through_onnx(lowered), x).equal(evaluated(graph, x)));
}

TEST_CASE("lowering: 8-bit floating point has its own types, from opset 19 on") {
  for (const auto format : {ops::GridFormat::float8_e4m3, ops::GridFormat::float8_e5m2}) {
    auto graph = quantized_network(kSkip);
    const ops::GridSpec spec{.bits = 8, .format = format};
    for (const auto& name : quantizers_of(graph, true)) put_on_grid(graph, name, spec, 0);
    for (const auto& name : quantizers_of(graph, false)) put_on_grid(graph, name, spec);
    require_written(graph.clone(), 17);
    const auto lowered = quant::lower_to_qdq(graph);
    REQUIRE(io::usual_opset(lowered) == 19);
    REQUIRE(at::isFloat8Type(lowered.parameter("a.weight").value.scalar_type()));
    require_error([&] { io::export_onnx_bytes(lowered, {.opset = 17}); },
                  "works with floating-point numbers of 8 bits, which ONNX has since opset 19");
  }
}

TEST_CASE("lowering: halves are Casts, and what they cannot hold is cut off before") {
  for (const auto format : {ops::GridFormat::float16, ops::GridFormat::bfloat16}) {
    auto graph = quantized_network(kSkip);
    const ops::GridSpec spec{.bits = 16, .format = format};
    for (const bool weights : {true, false})
      for (const auto& name : quantizers_of(graph, weights)) put_on_grid(graph, name, spec);
    require_written(graph.clone(), 17);
    const auto lowered = quant::lower_to_qdq(graph);
    REQUIRE(lowered.node("a.weight.quantizer").op == "Cast");
    REQUIRE(lowered.parameter("a.weight").value.element_size() == 2);
    quant::finish(graph);
    REQUIRE(nodes_of(lowered, "Cast") == 2 * static_cast<int>(quantizers_of(graph, false).size()) + 3);
    REQUIRE(lowered.node("a_relu.quantizer.cast").inputs[0] == "a_relu.quantizer.clip");
  }
}

TEST_CASE("lowering: GFPQ has no form in ONNX") {
  auto graph = quantized_network(kSkip);
  put_on_grid(graph, "a_relu.quantizer", {.bits = 8, .format = ops::GridFormat::gfpq});
  require_error([&] { quant::lower_to_qdq(graph); }, "'a_relu.quantizer' is on the grid 'gfpq'",
                "which ONNX has no operators for", "export with the format onnx-float and `encodings: [nnie]`");
}

TEST_CASE("lowering: a narrow accumulator is limits, for each channel its own") {
  for (const bool per_channel : {true, false}) {
    auto graph = quantized_network(kSkip, fmt::format("{{per_channel_weights: {}}}", per_channel));
    graph.node("a.weight.quantizer").attributes.set("accumulator_bits", int64_t{14});
    graph.touch();
    auto finished = graph.clone();
    quant::finish(finished);
    const auto lowered = quant::lower_to_qdq(finished);
    REQUIRE(nodes_of(lowered, per_channel ? "Min" : "Clip") >= 1);
    REQUIRE(nodes_of(lowered, "FakeQuantize") == 0);
    const auto x = random_tensor({8, 3, 8, 8}, 11) * 1.5;
    const auto expected = evaluated(finished, x);
    REQUIRE((evaluated(lowered, x) - expected).abs().max().item<double>() <
            1e-5 + 0.02 * expected.abs().max().item<double>());
    REQUIRE(agreement(evaluated(lowered, x), expected) > 0.999);
  }
}

TEST_CASE("lowering: a dynamic grid is DynamicQuantizeLinear; other dynamic grids have no form") {
  auto graph = quantized_network(kResidual);
  make_dynamic(graph);
  auto finished = graph.clone();
  quant::finish(finished);
  const auto lowered = quant::lower_to_qdq(finished);
  ops::verify(lowered);
  REQUIRE(nodes_of(lowered, "QuantizeLinear") == 0);
  REQUIRE(nodes_of(lowered, "DynamicQuantizeLinear") == static_cast<int>(quantizers_of(finished, false).size()));
  const auto x = random_tensor({8, 3, 8, 8}, 11);
  const auto expected = evaluated(finished, x);
  REQUIRE(agreement(evaluated(lowered, x), expected) == 1);
  REQUIRE(agreement(evaluated(through_onnx(lowered), x), expected) == 1);

  put_on_grid(graph, quantizers_of(graph, false)[0], {.bits = 8, .is_signed = true});
  require_error([&] { quant::lower_to_qdq(graph); }, "has a dynamic grid that ONNX has no operator for",
                "DynamicQuantizeLinear has 8 unsigned bits with a zero point");
}
