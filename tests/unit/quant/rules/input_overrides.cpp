#include "quant/rules/input_overrides.h"

#include "support/check_error.h"
#include "support/quantization.h"

#include <ATen/TensorOperators.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

/// kResidual, of whose input one is said in words of the quantiser's own.
Graph overridden(const std::string& quantizer, const std::string& layer, const std::string& input) {
  auto graph = filled_graph(kResidual);
  const auto given = quantizer == "PostTrainQuantizer" ? "quantize_inputs: false" : "calibration_samples: 8";
  quantize(graph, quantizer,
           fmt::format("{{{}, overrides: {{conv1: {{{}, input_overrides: {{0: {}}}}}}}}}", given, layer, input),
           calibration_of({random_tensor({8, 3, 8, 8}, 9)}));
  return graph;
}

}  // namespace

TEST_CASE("input overrides: from_output is the layer's output, and what is written is the input's alone") {
  for (const std::string name : {"PostTrainQuantizer", "PostTrainLinearQuantizer"}) {
    INFO(name);
    const auto same = overridden(name, "bits_activations: 6", "{from_output: true}");
    REQUIRE(same.node("input.quantizer").attributes.integer("bits", 0) == 6);
    const auto other = overridden(name, "bits_activations: 6", "{from_output: false, bits_activations: 5}");
    REQUIRE(other.node("input.quantizer").attributes.integer("bits", 0) == 5);
    REQUIRE(other.node("relu1.quantizer").attributes.integer("bits", 0) == 6);
  }
}

TEST_CASE("input overrides: from_output beside something else, and an entry that says nothing, are refused") {
  for (const std::string name : {"PostTrainQuantizer", "PostTrainLinearQuantizer"}) {
    INFO(name);
    require_error([&] { overridden(name, "bits_activations: 6", "{from_output: true, bits_activations: 5}"); },
                  "input override 0: 'from_output' takes all from the layer's output, but 'bits_activations' says",
                  "leave one of the two out", "recipe.yaml:1");
    for (const auto* nothing : {"{from_output: false}", "{}"})
      require_error([&] { overridden(name, "bits_activations: 6", nothing); }, "input override 0 says nothing",
                    "'from_output: true' puts the input on the grid of the layer's output");
  }
}

TEST_CASE("input overrides: the rule of scales reaches inputs") {
  const auto graph = overridden("PostTrainQuantizer", "scale_rule: power_of_two", "{bits_activations: 5}");
  const auto scale = graph.parameter("input.quantizer.scale").value.log2();
  REQUIRE(scale.equal(scale.round()));
  REQUIRE(graph.node("input.quantizer").attributes.text("scale_rule", "") == "power_of_two");
}

TEST_CASE("input overrides: what is no map of indices is refused with its place") {
  const auto wrong = [](const std::string& map) {
    return [map] {
      make_quantizer("PostTrainLinearQuantizer",
                     "{calibration_samples: 8, overrides: {conv1: {input_overrides: " + map + "}}}");
    };
  };
  require_error(wrong("[0]"), "'input_overrides' must be a map from the index of an input, not", "recipe.yaml:1");
  for (const auto* key : {"first", "-1", "0x"})
    require_error(wrong(fmt::format("{{{}: {{from_output: true}}}}", key)),
                  fmt::format("'{}' in 'input_overrides' is no index of an input", key), "0 is the first input");
  require_error(wrong("{0: {bits_activations: 24}}"), "'bits_activations' is 24", "input override 0");
}
