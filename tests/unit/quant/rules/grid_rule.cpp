#include "quant/rules/grid_rule.h"

#include "passes/pass.h"
#include "quant/rules/grid_words.h"
#include "support/check_error.h"
#include "support/quantization.h"

#include <ATen/TensorOperators.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

at::Tensor eight_images() {
  return random_tensor({8, 3, 8, 8}, 9);
}

/// kSkip, in which `a_relu` and `d_relu` share a grid, quantised; how far that grid reaches.
double shared_reach(const std::string& yaml, const std::string& quantizer = "PostTrainQuantizer") {
  auto graph = filled_graph(kSkip);
  quantize(graph, quantizer, yaml, calibration_of({eight_images()}));
  REQUIRE(graph.node("d_relu.quantizer").inputs[1] == "a_relu.quantizer.scale");
  return graph.parameter("a_relu.quantizer.scale").value.item<double>() * 255;
}

double greatest(const std::string& value) {
  auto graph = filled_graph(kSkip);
  graph.outputs = {{.name = value, .value = value}};
  return evaluated(graph, eight_images()).max().item<double>();
}

}  // namespace

TEST_CASE("grid rules: of values that share a grid, each has its range chosen by its own layer's observer") {
  const std::string clipped = "observer: {class: percentile, percentile: 60}";
  const double all = shared_reach("{" + clipped + "}");
  for (const std::string value : {"a_relu", "d_relu"}) {
    INFO(value);
    const double whole = greatest(value);
    REQUIRE(whole > 1.3 * all);
    REQUIRE(shared_reach("{" + clipped + ", overrides: {" + value + ": {observer: min_max}}}") ==
            Approx(whole).epsilon(1e-4));
    REQUIRE(shared_reach("{" + clipped + ", no_clip_layers: [" + value + "]}") == Approx(whole).epsilon(1e-4));
  }
}

TEST_CASE("grid rules: a value's observer also holds on a grid that another value's layer asks for") {
  auto graph = filled_graph(kSkip);
  const auto percentile = std::shared_ptr<const quant::Observer>(quant::observers().make("percentile"));
  const auto mse = std::shared_ptr<const quant::Observer>(quant::observers().make("mse"));
  quant::LayerRules rules({.activations = {.bits = 8, .grid = quant::kAsymmetricUnsigned, .observer = mse}});
  rules.change({"a_relu"}, "test", [&](quant::LayerRule& rule) {
    rule.activations.bits = 4;
    rule.activations.observer = percentile;
  });
  for (const auto& grid : quant::find_grids(graph, {.rules = rules})) {
    if (grid.values.size() != 2) continue;
    REQUIRE(grid.values == std::vector<std::string>{"a_relu", "d_relu"});
    REQUIRE(grid.rule.bits == 4);
    REQUIRE(grid.rule_of(0).observer == percentile);
    REQUIRE(grid.rule_of(1).observer == mse);
    REQUIRE(grid.rule_of(1).bits == 4);
    return;
  }
  FAIL("no grid is shared");
}

TEST_CASE("grid rules: arguments of the method hold for the value of their layer") {
  auto graph = filled_graph(kSkip);
  quantize(graph, "QuantAwareTrainRangeLinearQuantizer",
           "{bits_activations: 8, overrides: {d_relu: {ema_decay: 0.5}}}");
  REQUIRE(graph.node("d_relu.quantizer").attributes.number("ema_decay", 0) == 0.5);
  REQUIRE(graph.node("a_relu.quantizer").attributes.number("ema_decay", 0) == 0.999);
}

TEST_CASE("grid rules: op:Gemm holds for a linear layer that was joined with its batch-norm, and op:Conv does not") {
  const std::string text = R"(graph net(input: float[N,4]) -> (output = last)
parameter fc.weight: float[6,4]
parameter bn.weight: float[6]
parameter bn.bias: float[6]
parameter bn.running_mean: float[6] fixed
parameter bn.running_var: float[6] fixed
parameter last.weight: float[2,6]
fc = Gemm(input, %fc.weight) transB=1
bn = BatchNormalization(fc, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var)
last = Gemm(bn, %last.weight) transB=1
)";
  auto graph = filled_graph(text);
  quantize(graph, "QuantAwareTrainRangeLinearQuantizer",
           "{bits_activations: 8, bits_weights: 8, overrides: {'op:Gemm': {bits_activations: 5}}}");
  REQUIRE(graph.node("fc").op == "ConvBatchNormalization");
  REQUIRE(graph.node("fc.quantizer").attributes.integer("bits", 0) == 5);
  const Node linear = graph.node("fc");
  REQUIRE(quant::layer_name(linear).op == "Gemm");
  Node convolution{.name = "conv", .op = "ConvBatchNormalization"};
  REQUIRE(quant::layer_name(convolution).op == "Conv");
}
