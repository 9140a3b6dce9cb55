#include "quant/encodings/encodings.h"

#include "ops/gfpq.h"
#include "quant/export/lowering.h"
#include "support/check_error.h"
#include "unit/quant/export/lowered.h"

#include <ATen/TensorOperators.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <bit>

using namespace compress;
using namespace compress::test;

namespace {

std::string encodings_text(Graph graph, const std::string& form) {
  quant::finish(graph);
  const auto deployed = quant::lower_to_float(graph);
  return quant::encodings_writers().make(form)->text(quant::encoded_model(graph, deployed));
}

double number_of(const Graph& graph, const std::string& name) {
  return graph.parameter(name).value.item<double>();
}

}  // namespace

TEST_CASE("encodings: AIMET's integers count from 0") {
  const auto graph = quantized_network(kSkip);
  const auto json = nlohmann::json::parse(encodings_text(graph.clone(), "aimet"));
  REQUIRE(json["version"] == "0.6.1");
  const auto& weight = json["param_encodings"]["a.weight"];
  REQUIRE(weight.size() == 4);
  REQUIRE(weight[0]["bitwidth"] == 8);
  REQUIRE(weight[0]["offset"] == -127);
  REQUIRE(weight[0]["is_symmetric"] == "True");
  REQUIRE(weight[0]["dtype"] == "int");
  REQUIRE(weight[2]["max"].get<double>() ==
          Approx(graph.parameter("a.weight").value.select(0, 2).abs().max().item<double>()));
  REQUIRE(weight[2]["min"].get<double>() == Approx(-weight[2]["max"].get<double>()));
  const auto& input = json["activation_encodings"]["input"][0];
  REQUIRE(input["scale"].get<double>() == Approx(number_of(graph, "input.quantizer.scale")));
  REQUIRE(input["offset"].get<double>() == -number_of(graph, "input.quantizer.zero_point"));
  REQUIRE(input["max"].get<double>() - input["min"].get<double>() == Approx(255 * input["scale"].get<double>()));
  REQUIRE(input["is_symmetric"] == "False");
  REQUIRE(json["param_encodings"]["a.bias"][0]["bitwidth"] == 32);
  REQUIRE(json["activation_encodings"].contains("pooled"));  // what was only moved is told, too
}

TEST_CASE("encodings: an output bears the name of the outside") {
  const auto text = encodings_text(quantized_network(kSkip, "{quantize_outputs: true}"), "tensorrt");
  REQUIRE_THAT(text, Catch::Contains("\noutput: ") && !Catch::Contains("\nhead: "));
}

TEST_CASE("encodings: AIMET's halves have a width and no grid; groups and GFPQ it cannot say") {
  auto graph = quantized_network(kSkip);
  put_on_grid(graph, "a.weight.quantizer", {.bits = 16, .format = ops::GridFormat::float16});
  const auto json = nlohmann::json::parse(encodings_text(graph.clone(), "aimet"));
  REQUIRE(json["param_encodings"]["a.weight"] == nlohmann::json::parse(R"([{"bitwidth": 16, "dtype": "float"}])"));
  put_on_grid(graph, "head.weight.quantizer", {.bits = 4, .is_signed = true}, {0, 1, 4});
  require_error([&] { encodings_text(graph.clone(), "aimet"); },
                "the form 'aimet' cannot say that 'head.weight' has a scale for each group of 4 channels",
                "export as onnx-qdq, which has groups");
  put_on_grid(graph, "head.weight.quantizer", {.bits = 8, .format = ops::GridFormat::gfpq});
  require_error([&] { encodings_text(graph.clone(), "aimet"); }, "cannot say that 'head.weight' is on the grid 'gfpq'");
}

TEST_CASE("encodings: TensorRT's calibration cache holds the bits of one scale a value") {
  const auto graph = quantized_network(kSkip, "{activations: symmetric}");
  const auto text = encodings_text(graph.clone(), "tensorrt");
  REQUIRE(text.starts_with("TRT-8601-EntropyCalibration2\ninput: "));
  const auto scale = graph.parameter("input.quantizer.scale").value.item<float>();
  REQUIRE_THAT(text, Catch::Contains(fmt::format("input: {:08x}\n", std::bit_cast<uint32_t>(scale))));
  REQUIRE_THAT(text, !Catch::Contains("weight"));
}

TEST_CASE("encodings: TensorRT's scale covers a range that is not symmetric") {
  auto graph = quantized_network(kSkip);
  put_on_grid(graph, "a_relu.quantizer", {.bits = 8, .is_signed = false, .symmetric = false}, {}, 0, 254);
  const auto text = encodings_text(graph.clone(), "tensorrt");
  const auto bits = std::stoul(text.substr(text.find("a_relu: ") + 8, 8), nullptr, 16);
  REQUIRE(std::bit_cast<float>(static_cast<uint32_t>(bits)) == Approx(2.0f));
}

TEST_CASE("encodings: TensorRT's calibration cache knows 8 bits") {
  require_error([] { encodings_text(quantized_network(kSkip, "{bits_activations: 6}"), "tensorrt"); },
                "TensorRT's calibration cache has 8 bits, but 'input' has 6");
}

TEST_CASE("encodings: NNIE gets the largest number of each layer's input") {
  auto graph = quantized_network(kResidual);
  for (const auto& name : quantizers_of(graph, false))
    put_on_grid(graph, name, {.bits = 8, .format = ops::GridFormat::gfpq}, {}, -9, 9);
  const auto json = nlohmann::json::parse(encodings_text(graph.clone(), "nnie"));
  const auto& layers = json["nnie"]["gfpq_param_dict"];
  REQUIRE(layers["conv1"].size() == 1);
  REQUIRE(layers["conv1"][0].get<double>() == Approx(8.72406197));  // the top level of max 9 (vendor's library)
  REQUIRE(layers["add"].size() == 2);
  REQUIRE(layers.contains("fc"));
  REQUIRE_FALSE(layers.contains("flat"));
  REQUIRE_FALSE(layers.contains("pool"));
}

TEST_CASE("encodings: NNIE works with its own grid only") {
  require_error([] { encodings_text(quantized_network(kSkip), "nnie"); },
                "NNIE works with the grid 'gfpq', but 'input' is on the grid 'integer'",
                "quantise with `runtime: nnie`");
}

TEST_CASE("lower_to_float: weights have the values of their grid, activations no quantiser") {
  auto graph = quantized_network(kSkip, "{bits_weights: 3}");
  quant::finish(graph);
  const auto lowered = quant::lower_to_float(graph);
  REQUIRE(nodes_of(lowered, "FakeQuantize") == 0);
  const auto steps = lowered.parameter("head.weight").value.select(0, 0).flatten() /
                     graph.parameter("head.weight.quantizer.scale").value.flatten().select(0, 0);
  REQUIRE((steps - steps.round()).abs().max().item<double>() < 1e-4);
  REQUIRE(steps.abs().max().item<double>() == Approx(3));
  REQUIRE(io::usual_opset(lowered) == 17);
}

TEST_CASE("lower_to_float: a weight that others read as it is gets a quantised copy") {
  const auto graph = quantized_network(kTied, "{overrides: {b: {bits_weights: null}}}");
  const auto before = graph.parameter("w.weight").value.clone();
  const auto lowered = quant::lower_to_float(graph);
  REQUIRE(lowered.parameter("w.weight").value.equal(before));
  REQUIRE(lowered.node("a").inputs[1] == "w.weight.quantized");
}
