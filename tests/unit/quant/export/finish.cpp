#include "exec/plan.h"
#include "ops/op.h"
#include "ops/quantization_grid.h"
#include "support/quantization.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

/// A quantised network whose ranges and statistics have seen a few batches.
Graph trained(const std::string& text, const std::string& yaml) {
  auto graph = filled_graph(text);
  quantize(graph, "QuantAwareTrainRangeLinearQuantizer", yaml);
  graph.own_storage();
  const exec::Plan plan(graph, {.mode = exec::Mode::train});
  const at::NoGradGuard no_grad;
  for (uint64_t step = 0; step < 3; ++step) {
    const at::Tensor inputs[] = {random_tensor({8, 3, 8, 8}, 30 + step)};
    plan.run(inputs);
  }
  return graph;
}

/// Largest difference relative to max(1, |y|).
double difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max().clamp_min(1)).item<double>();
}

/// Puts the biases on the accumulators' grid beforehand, so that finish() has nothing to round.
void take_biases(Graph& graph, const Graph& finished) {
  for (const auto& node : finished.nodes())
    if (node.op == "FakeQuantize" && node.attributes.integer("bits", 0) == 32)
      graph.assign(node.inputs[0], exec::run_node(node, std::vector{finished.parameter(node.inputs[0]).value,
                                                                    finished.parameter(node.inputs[1]).value,
                                                                    finished.parameter(node.inputs[2]).value})[0]);
}

}  // namespace

TEST_CASE("finish: a trained residual block becomes plain layers with fixed quantisers on both sides") {
  auto graph = trained(kResidual, "{bits_activations: 8, bits_weights: 8}");
  quant::finish(graph);
  ops::verify(graph);
  REQUIRE(wiring(graph) ==
          R"(input.quantizer = FakeQuantize(input, %input.quantizer.scale, %input.quantizer.zero_point)
conv1.weight.quantizer = FakeQuantize(%conv1.weight, %conv1.weight.quantizer.scale, %conv1.weight.quantizer.zero_point)
conv1.bias.quantizer = FakeQuantize(%conv1.bias, %conv1.bias.quantizer.scale, %conv1.bias.quantizer.zero_point)
conv1 = Conv(input.quantizer, conv1.weight.quantizer, conv1.bias.quantizer)
relu1 = Relu(conv1)
relu1.quantizer = FakeQuantize(relu1, %relu1.quantizer.scale, %relu1.quantizer.zero_point)
conv2.weight.quantizer = FakeQuantize(%conv2.weight, %conv2.weight.quantizer.scale, %conv2.weight.quantizer.zero_point)
conv2.bias.quantizer = FakeQuantize(%conv2.bias, %conv2.bias.quantizer.scale, %conv2.bias.quantizer.zero_point)
conv2 = Conv(relu1.quantizer, conv2.weight.quantizer, conv2.bias.quantizer)
conv2.quantizer = FakeQuantize(conv2, %conv2.quantizer.scale, %conv2.quantizer.zero_point)
add = Add(conv2.quantizer, relu1.quantizer)
relu2 = Relu(add)
relu2.quantizer = FakeQuantize(relu2, %relu2.quantizer.scale, %relu2.quantizer.zero_point)
pool = GlobalAveragePool(relu2.quantizer)
pool.quantizer = FakeQuantize(pool, %pool.quantizer.scale, %pool.quantizer.zero_point)
flat = Flatten(pool.quantizer)
flat.quantizer = FakeQuantize(flat, %pool.quantizer.scale, %pool.quantizer.zero_point)
fc.weight.quantizer = FakeQuantize(%fc.weight, %fc.weight.quantizer.scale, %fc.weight.quantizer.zero_point)
fc.bias.quantizer = FakeQuantize(%fc.bias, %fc.bias.quantizer.scale, %fc.bias.quantizer.zero_point)
fc = Gemm(flat.quantizer, fc.weight.quantizer, fc.bias.quantizer)
)");
  for (const auto& node : graph.nodes())
    if (node.op == "FakeQuantize") REQUIRE(node.attributes.text("method", "") == "fixed");
}

TEST_CASE("finish: folded batch-norms evaluate bit for bit as before, apart from the biases' rounding") {
  auto graph = trained(kResidual, "{bits_activations: 8, bits_weights: 8, bits_bias: 16}");
  const auto x = random_tensor({8, 3, 8, 8}, 40);
  const auto before = evaluated(graph, x);
  auto finished = graph.clone();
  quant::finish(finished);
  // fc.bias is on its own grid of 16 bits already; those of the convolutions are new.
  for (const auto* name : {"conv1", "conv2"}) {
    auto& node = finished.node(name);
    node.inputs[2] = node.inputs[2].substr(0, node.inputs[2].size() - std::string(".quantizer").size());
  }
  finished.touch();
  REQUIRE(difference(evaluated(finished, x), before) < 1e-6);
}

TEST_CASE("finish: biases on the accumulator's grid move the outputs by less than a step") {
  for (const auto& text : {kResidual, kSkip}) {
    const auto graph =
        trained(text, "{bits_activations: 8, bits_weights: 8, mode: ASYMMETRIC_UNSIGNED, per_channel_wts: true}");
    const auto x = random_tensor({8, 3, 8, 8}, 40);
    auto finished = graph.clone();
    quant::finish(finished);
    REQUIRE(difference(evaluated(finished, x), evaluated(graph, x)) < 0.02);
  }
}

TEST_CASE("finish: a bias's step is input scale times weight scale") {
  auto graph = trained(kSkip, "{bits_activations: 8, bits_weights: 8, per_channel_wts: true}");
  quant::finish(graph);
  const auto scale = [&](const char* name) { return graph.parameter(std::string(name) + ".quantizer.scale").value; };
  REQUIRE(scale("d.bias").equal(scale("a_relu") * scale("d.weight")));
  const auto steps = graph.parameter("d.bias").value / scale("d.bias");
  REQUIRE(steps.abs().max().item<float>() > 100);
}

TEST_CASE("finish: with biases on the grid already it changes no output, and a second time it changes nothing") {
  auto graph = trained(kSkip, "{bits_activations: 8, bits_weights: 8}");
  auto finished = graph.clone();
  quant::finish(finished);
  take_biases(graph, finished);
  const auto x = random_tensor({8, 3, 8, 8}, 40);
  const auto expected = evaluated(graph, x);
  quant::finish(graph);
  REQUIRE(evaluated(graph, x).equal(expected));
  REQUIRE(quant::finish(graph).empty());
  REQUIRE(evaluated(graph, x).equal(expected));
}

TEST_CASE("finish: what a Concat joins from several grids is on none") {
  auto graph = filled_graph(R"(graph dense(input: float[N,3,8,8]) -> (output = head)
parameter bn.weight: float[6]
parameter bn.bias: float[6]
parameter bn.running_mean: float[6] fixed
parameter bn.running_var: float[6] fixed
parameter head.weight: float[2,6,1,1]
small = Relu(input)
large = Mul(input, input)
both = Concat(small, large) axis=1
bn = BatchNormalization(both, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var)
relu = Relu(bn)
head = Conv(relu, %head.weight) kernel_shape=[1,1]
)");
  const auto x = random_tensor({8, 3, 8, 8}, 40);
  quantize(graph, "PostTrainLinearQuantizer", "{calibration_samples: 8}", calibration_of({x}));
  REQUIRE(graph.node("small.quantizer").inputs[1] != graph.node("large.quantizer").inputs[1]);
  const auto expected = evaluated(graph, x);
  quant::finish(graph);
  REQUIRE(graph.find_node("both.quantizer") == nullptr);
  REQUIRE(evaluated(graph, x).equal(expected));
}

TEST_CASE("finish: what a MaxPool picked is on its grid, where it was is not") {
  auto graph = filled_graph(R"(graph pooled(input: float[N,3,8,8]) -> (output = up)
pool, pool:1 = MaxPool(input) kernel_shape=[2,2] strides=[2,2]
up = MaxUnpool(pool, pool:1) kernel_shape=[2,2] strides=[2,2]
)");
  quantize(graph, "PostTrainLinearQuantizer", "{calibration_samples: 8}",
           calibration_of({random_tensor({8, 3, 8, 8}, 40)}));
  quant::finish(graph);
  ops::verify(graph);
  REQUIRE(graph.find_node("pool:1.quantizer") == nullptr);
}

TEST_CASE("finish: what a MaxPool or a Concat moves keeps its scale") {
  auto graph = trained(kSkip, "{bits_activations: 8, bits_weights: 8}");
  quant::finish(graph);
  for (const auto* name : {"pooled.quantizer", "both.quantizer", "d_relu.quantizer"})
    REQUIRE(graph.node(name).inputs[1] == "a_relu.quantizer.scale");
}
