#include "quant/rules/layer_rules.h"

#include "support/check_error.h"
#include "support/quantization.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;
using quant::LayerName;
using quant::LayerRule;
using quant::LayerRules;
using quant::quantised;

namespace {

/// The arguments of some quantiser.
struct Bits {
  std::optional<int64_t> activations = 8, weights = 8;

  void declare_layer(Settings& settings) {
    quant::declare_bits(settings, "bits_activations", activations, "bits of the output");
    quant::declare_bits(settings, "bits_weights", weights, "bits of the weight");
  }
  void check() const {
    quant::check_bits("bits_activations", activations);
    quant::check_bits("bits_weights", weights);
  }
  LayerRule rule() const { return {.activations = {.bits = activations}, .weights = {.bits = weights}}; }
};

LayerRules read(const std::string& yaml) {
  return quant::layer_rules(parse_yaml(yaml, "recipe.yaml"), Bits());
}

LayerRule rule_of(const LayerRules& rules, const std::string& name, const std::string& op = "Conv") {
  const LayerName layers[] = {{name, op}};
  return rules.find(layers);
}

}  // namespace

TEST_CASE("layer rules: the first match wins, absent keys keep the default") {
  const auto rules = read("{'conv1.*': {bits_weights: 4}, 'conv.*': {bits_activations: 6, bits_weights: 5}}");
  REQUIRE(rule_of(rules, "conv1").weights.bits == 4);
  REQUIRE(rule_of(rules, "conv1").activations.bits == 8);
  REQUIRE(rule_of(rules, "conv2").weights.bits == 5);
  REQUIRE(rule_of(rules, "fc").weights.bits == 8);
  const auto broad_first = read("{'conv.*': {bits_weights: 5}, 'conv1.*': {bits_weights: 4}}");
  REQUIRE(rule_of(broad_first, "conv1").weights.bits == 5);
}

TEST_CASE("layer rules: a pattern that is exactly the name counts before the others, as with Distiller") {
  const auto rules = read("{'conv.*': {bits_weights: 5}, conv1: {bits_weights: 4}}");
  REQUIRE(rule_of(rules, "conv1").weights.bits == 4);
  REQUIRE(rule_of(rules, "conv2").weights.bits == 5);
}

TEST_CASE("layer rules: a pattern must match the whole name; Distiller's 'module.' is dropped") {
  const auto rules = read("{module.conv1: {bits_weights: 4}}");
  REQUIRE(rule_of(rules, "conv1").weights.bits == 4);
  REQUIRE(rule_of(rules, "conv12").weights.bits == 8);
}

TEST_CASE("layer rules: op:NAME matches all nodes of the operator") {
  const auto rules = read("{'op:Gemm': {bits_weights: 4}}");
  REQUIRE(rule_of(rules, "fc", "Gemm").weights.bits == 4);
  REQUIRE(rule_of(rules, "op", "Conv").weights.bits == 8);
  Node folded{.name = "c", .op = "ConvBatchNormalization"};
  REQUIRE(read("{'op:Conv': {bits_weights: 3}}").find(folded).weights.bits == 3);
}

TEST_CASE("layer rules: null and 32 bits mean not quantised") {
  const auto rules = read("{conv1: {bits_weights: null}, conv2: {bits_weights: 32}}");
  REQUIRE_FALSE(rule_of(rules, "conv1").weights.quantised());
  REQUIRE_FALSE(rule_of(rules, "conv2").weights.quantised());
  REQUIRE(rule_of(rules, "conv3").weights.quantised());
}

TEST_CASE("layer rules: a change holds for the layers of its patterns, overridden or not") {
  auto rules = read("{conv1: {bits_weights: 4}}");
  rules.change({"conv.*"}, "no_quant_layers", quant::keep_floating);
  REQUIRE_FALSE(rule_of(rules, "conv1").weights.quantised());
  REQUIRE_FALSE(rule_of(rules, "conv2").activations.quantised());
  REQUIRE(rule_of(rules, "fc").weights.quantised());
}

TEST_CASE("layer rules: wrong ones are reported with their place") {
  require_error([] { read("[conv1]"); }, "recipe.yaml:1:1", "'overrides' must be a map from pattern to arguments");
  require_error([] { read("{'conv(': {bits_weights: 4}}"); }, "recipe.yaml:1:2",
                "'conv(' is not a valid regular expression");
  require_error([] { read("{conv1: {wts: 4}}"); }, "wts", "recipe.yaml:1:10");
  require_error([] { read("{conv1: {bits_weights: 24}}"); }, "'bits_weights' is 24", "2 to 16 bits, or 32 or null",
                "override 'conv1'");
  require_error([] { read("{'op:Convv': {bits_weights: 4}}"); }, "there is no operator 'Convv'", "did you mean 'Conv'?",
                "recipe.yaml:1:2");
}

TEST_CASE("layer rules: a pattern that matches nothing is an error with place and nearest name") {
  auto graph = filled_graph(kResidual);
  require_error([&] { quantize(graph, "PostTrainMinMaxQuantizer", "overrides:\n  convv1: {bits_weights: 4}\n"); },
                "recipe.yaml:2:3", "override 'convv1' matches no node", "did you mean 'conv1'?");
  require_error(
      [&] { quantize(graph, "QuantAwareTrainRangeLinearQuantizer", "overrides: {'layer7.*': {bits_weights: 4}}"); },
      "override 'layer7.*' matches no node");
  require_error([&] { quantize(graph, "PostTrainMinMaxQuantizer", "overrides: {'op:Concat': {bits_weights: 4}}"); },
                "override 'op:Concat' matches no node", "the model has no such operator");
  require_error([&] { quantize(graph, "PostTrainQuantizer", "no_quant_layers: [fcc]"); },
                "no_quant_layers: 'fcc' matches no node", "did you mean 'fc'?");
  require_error([&] { quantize(graph, "PostTrainQuantizer", "no_clip_layers: ['fc(']"); },
                "'fc(' is not a valid regular expression", "no_clip_layers");
}

TEST_CASE("layer rules: a pattern that matches only batch-norm, which is folded, is an error that names the layer") {
  const auto wrong = [](const std::string& quantizer, const std::string& yaml) {
    return [=] {
      auto graph = filled_graph(kResidual);
      quantize(graph, quantizer, yaml, calibration_of({random_tensor({4, 3, 8, 8}, 9)}));
    };
  };
  require_error(wrong("PostTrainQuantizer", "overrides:\n  bn1: {bits_activations: 4}\n"), "recipe.yaml:2:3",
                "override 'bn1' matches nothing but batch-norm ('bn1'), which is folded into 'conv1'",
                "name the layer that takes it up: 'conv1'");
  require_error(wrong("PostTrainMinMaxQuantizer", "overrides: {'op:BatchNormalization': {bits_weights: 4}}"),
                "override 'op:BatchNormalization' matches nothing but batch-norm");
  require_error(wrong("PostTrainQuantizer", "no_clip_layers: [bn2]"), "no_clip_layers: 'bn2' matches nothing but",
                "'conv2'");
  require_error(
      wrong("QuantAwareTrainRangeLinearQuantizer", "{bits_weights: 8, overrides: {bn1: {bits_activations: 4}}}"),
      "override 'bn1' matches nothing but batch-norm ('bn1'), which is folded into 'conv1'");
  wrong("QuantAwareTrainRangeLinearQuantizer",
        "{bits_weights: 8, fold_batchnorm: false, overrides: {bn1: {bits_activations: 4}}}")();
  wrong("PostTrainQuantizer", "overrides: {'(bn|conv)1': {bits_activations: 4}}")();
  wrong("PostTrainLinearQuantizer", "{calibration_samples: 4, overrides: {bn1: {make_identity: true}}}")();
}

TEST_CASE("layer rules: a layer can be left in floating point") {
  auto graph = filled_graph(kResidual);
  quantize(graph, "PostTrainMinMaxQuantizer",
           "overrides: {conv1: {bits_weights: null, bits_activations: null}, fc: {bits_weights: 4}}",
           calibration_of({random_tensor({4, 3, 8, 8}, 9)}));
  REQUIRE(graph.find_node("conv1.weight.quantizer") == nullptr);
  REQUIRE(graph.find_node("relu1.quantizer") == nullptr);  // the activation of conv1
  REQUIRE(graph.find_node("conv2.weight.quantizer") != nullptr);
  REQUIRE(graph.node("fc.weight.quantizer").attributes.integer("bits", 0) == 4);
}
