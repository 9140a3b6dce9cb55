#include "quant/overrides.h"

#include "support/check_error.h"
#include "unit/quant/support.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;
using quant::LayerBits;
using quant::Overrides;
using quant::quantised;

namespace {

Overrides read(const std::string& yaml) {
  return {parse_yaml(yaml, "recipe.yaml"), LayerBits{.activations = 8, .weights = 8}};
}

LayerBits bits_of(const Overrides& overrides, const std::string& name) {
  const std::string names[] = {name};
  return overrides.find(names);
}

}  // namespace

TEST_CASE("overrides: the first match wins, absent keys keep the default") {
  const auto overrides = read("{conv1: {bits_weights: 4}, 'conv.*': {bits_activations: 6, bits_weights: 5}}");
  REQUIRE(bits_of(overrides, "conv1").weights == 4);
  REQUIRE(bits_of(overrides, "conv1").activations == 8);
  REQUIRE(bits_of(overrides, "conv12").weights == 5);
  REQUIRE(bits_of(overrides, "fc").weights == 8);
  const auto broad_first = read("{'conv.*': {bits_weights: 5}, conv1: {bits_weights: 4}}");
  REQUIRE(bits_of(broad_first, "conv1").weights == 5);
}

TEST_CASE("overrides: a pattern must match the whole name; Distiller's 'module.' is dropped") {
  const auto overrides = read("{module.conv1: {bits_weights: 4}}");
  REQUIRE(bits_of(overrides, "conv1").weights == 4);
  REQUIRE(bits_of(overrides, "conv12").weights == 8);
}

TEST_CASE("overrides: null and 32 bits mean not quantised") {
  const auto overrides = read("{conv1: {bits_weights: null}, conv2: {bits_weights: 32}}");
  REQUIRE_FALSE(quantised(bits_of(overrides, "conv1").weights));
  REQUIRE_FALSE(quantised(bits_of(overrides, "conv2").weights));
  REQUIRE(quantised(bits_of(overrides, "conv3").weights));
}

TEST_CASE("overrides: wrong ones are reported with their place") {
  require_error([] { read("[conv1]"); }, "recipe.yaml:1:1", "'overrides' must be a map from pattern to bits");
  require_error([] { read("{'conv(': {bits_weights: 4}}"); }, "recipe.yaml:1:2",
                "'conv(' is not a valid regular expression");
  require_error([] { read("{conv1: {wts: 4}}"); }, "wts", "recipe.yaml:1:10");
  require_error([] { read("{conv1: {bits_weights: 24}}"); }, "'bits_weights' is 24", "2 to 16 bits, or 32 or null");
}

TEST_CASE("overrides: a pattern that matches nothing is an error with place and nearest name") {
  auto graph = filled_graph(kResidual);
  require_error([&] { quantize(graph, "PostTrainMinMaxQuantizer", "overrides:\n  convv1: {bits_weights: 4}\n"); },
                "recipe.yaml:2:3", "override 'convv1' matches no node", "did you mean 'conv1'?");
  require_error(
      [&] { quantize(graph, "QuantAwareTrainRangeLinearQuantizer", "overrides: {'layer7.*': {bits_weights: 4}}"); },
      "override 'layer7.*' matches no node");
}

TEST_CASE("overrides: a layer can be left in floating point") {
  auto graph = filled_graph(kResidual);
  quantize(graph, "PostTrainMinMaxQuantizer",
           "overrides: {conv1: {bits_weights: null, bits_activations: null}, fc: {bits_weights: 4}}",
           calibration_of({random_tensor({4, 3, 8, 8}, 9)}));
  REQUIRE(graph.find_node("conv1.weight.quantizer") == nullptr);
  REQUIRE(graph.find_node("relu1.quantizer") == nullptr);  // the activation of conv1
  REQUIRE(graph.find_node("conv2.weight.quantizer") != nullptr);
  REQUIRE(graph.node("fc.weight.quantizer").attributes.integer("bits", 0) == 4);
}
