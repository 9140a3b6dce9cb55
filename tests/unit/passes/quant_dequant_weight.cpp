// nnieqat's functions as passes: quant_dequant_weight, unquant_weight, merge_freeze_bn, freeze_bn.
#include "exec/plan.h"
#include "graph/text_form.h"
#include "ops/gfpq.h"
#include "passes/pass.h"
#include "support/close.h"
#include "support/quantization.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

void run_pass(Graph& graph, const std::string& name, const std::string& arguments = "{}") {
  const auto pass = passes::passes().make(name);
  Settings settings;
  pass->declare(settings);
  settings.read(parse_yaml(arguments, "recipe.yaml"), name);
  Problems problems;
  pass->bind(graph, {}, problems);
  problems.raise();
  passes::run(*pass, name, graph);
}

at::Tensor levels_of(const at::Tensor& weight, int bits) {
  return ops::gfpq_quantize(weight, ops::gfpq_mark(weight, bits), bits);
}

/// The output in training, and what becomes of the statistics.
at::Tensor trained(Graph& graph, const at::Tensor& x) {
  graph.own_storage();
  exec::prepare_parameters(graph, at::kCPU);
  for (auto& parameter : graph.parameters()) parameter.value.requires_grad_(parameter.trainable);
  return exec::Plan(graph, {.mode = ops::Mode::train}).run(exec::Tensors{x})[0].detach();
}

}  // namespace

TEST_CASE("quant_dequant_weight: evaluation has the weights' GFPQ levels, and unquant_weight takes them back",
          "[passes]") {
  const int bits = GENERATE(8, 16);
  const auto original = filled_graph(kResidual);
  auto graph = original.clone();
  run_pass(graph, "quant_dequant_weight", "{bits: " + std::to_string(bits) + "}");
  auto expected = original.clone();
  for (const char* name : {"conv1.weight", "conv2.weight", "fc.weight"})
    expected.assign(name, levels_of(original.parameter(name).value, bits));
  const auto x = random_tensor({2, 3, 8, 8}, 5);
  require_close(evaluated(graph, x), evaluated(expected, x), 1e-5);
  REQUIRE(graph.parameter("conv1.weight").value.equal(original.parameter("conv1.weight").value));
  run_pass(graph, "unquant_weight");
  REQUIRE(print_graph(graph) == print_graph(original));
  require_close(evaluated(graph, x), evaluated(original, x), 0);
}

TEST_CASE("quant_dequant_weight: run again, it follows the weights", "[passes]") {
  auto graph = filled_graph(kResidual);
  run_pass(graph, "quant_dequant_weight");
  graph.writable("fc.weight").mul_(3);
  run_pass(graph, "quant_dequant_weight");
  auto expected = filled_graph(kResidual);
  expected.writable("fc.weight").mul_(3);
  run_pass(expected, "quant_dequant_weight");
  REQUIRE(print_graph(graph) == print_graph(expected));
  const auto x = random_tensor({2, 3, 8, 8}, 5);
  require_close(evaluated(graph, x), evaluated(expected, x), 0);
}

TEST_CASE("quant_dequant_weight: bits other than 8 and 16 are refused", "[passes]") {
  auto graph = filled_graph(kResidual);
  REQUIRE_THROWS_WITH(run_pass(graph, "quant_dequant_weight", "{bits: 9}"), Catch::Contains("8"));
}

TEST_CASE("unquant_weight: a network without such quantisers stays as it is", "[passes]") {
  auto graph = filled_graph(kResidual);
  const auto text = print_graph(graph);
  run_pass(graph, "unquant_weight");
  REQUIRE(print_graph(graph) == text);
}

TEST_CASE("freeze_bn: training evaluates the batch-norms and leaves their statistics", "[passes]") {
  const bool affine = GENERATE(true, false);
  auto graph = filled_graph(kResidual);
  run_pass(graph, "freeze_bn", affine ? "{}" : "{freeze_bn_affine: false}");
  REQUIRE(graph.parameter("bn1.weight").trainable == !affine);
  const auto mean = graph.parameter("bn1.running_mean").value.clone();
  const auto x = random_tensor({4, 3, 8, 8}, 6);
  require_close(trained(graph, x), evaluated(graph, x), 1e-4);
  REQUIRE(graph.parameter("bn1.running_mean").value.equal(mean));
}

TEST_CASE("freeze_bn: a batch-norm that training quantises with its layer is frozen too", "[passes]") {
  const std::string pass = GENERATE("freeze_bn", "merge_freeze_bn");
  auto graph = filled_graph(kResidual);
  quantize(graph, "QuantAwareTrainRangeLinearQuantizer", "{bits_activations: 8, bits_weights: 8}");
  REQUIRE(graph.node("conv1").op == "ConvBatchNormalization");
  run_pass(graph, pass);
  REQUIRE(graph.node("conv1").attributes.integer("frozen", 0) == 1);
  REQUIRE_FALSE(graph.parameter("bn1.weight").trainable);
  REQUIRE_FALSE(graph.parameter("bn1.bias").trainable);
  REQUIRE(graph.parameter("conv1.weight").trainable);
  const auto mean = graph.parameter("bn1.running_mean").value.clone();
  trained(graph, random_tensor({4, 3, 8, 8}, 6));
  REQUIRE(graph.parameter("bn1.running_mean").value.equal(mean));
}

TEST_CASE("merge_freeze_bn: what can be folded is, the rest is frozen", "[passes]") {
  // the second batch-norm stands behind a sum
  auto graph = filled_graph(R"(graph g(input: float[N,3,8,8]) -> (output = bn2)
parameter conv.weight: float[3,3,3,3]
parameter bn1.weight: float[3]
parameter bn1.bias: float[3]
parameter bn1.running_mean: float[3] fixed
parameter bn1.running_var: float[3] fixed
parameter bn2.weight: float[3]
parameter bn2.bias: float[3]
parameter bn2.running_mean: float[3] fixed
parameter bn2.running_var: float[3] fixed
conv = Conv(input, %conv.weight) pads=[1,1,1,1]
bn1 = BatchNormalization(conv, %bn1.weight, %bn1.bias, %bn1.running_mean, %bn1.running_var)
sum = Add(bn1, input)
bn2 = BatchNormalization(sum, %bn2.weight, %bn2.bias, %bn2.running_mean, %bn2.running_var)
)");
  const auto x = random_tensor({4, 3, 8, 8}, 6), before = evaluated(graph, x);
  run_pass(graph, "merge_freeze_bn");
  REQUIRE(graph.find_node("bn1") == nullptr);
  REQUIRE(graph.node("bn2").attributes.integer("frozen", 0) == 1);
  require_close(evaluated(graph, x), before, 1e-4);
  require_close(trained(graph, x), before, 1e-4);
}
