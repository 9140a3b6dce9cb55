#include "quant/insertion/insertion.h"

#include "exec/plan.h"
#include "support/check_error.h"
#include "support/quantization.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

const std::string kPostTrain = "PostTrainMinMaxQuantizer";

std::string quantised_wiring(const std::string& text, const std::string& yaml = "{}") {
  auto graph = filled_graph(text);
  quantize(graph, kPostTrain, yaml, calibration_of({random_tensor({4, 3, 8, 8}, 9)}));
  return wiring(graph);
}

}  // namespace

TEST_CASE("insertion: a residual block gets one quantiser per value that a layer or an addition reads") {
  REQUIRE(quantised_wiring(kResidual) ==
          R"(input.quantizer = FakeQuantize(input, %input.quantizer.scale, %input.quantizer.zero_point)
conv1.weight.quantizer = FakeQuantize(%conv1.weight, %conv1.weight.quantizer.scale, %conv1.weight.quantizer.zero_point)
conv1 = Conv(input.quantizer, conv1.weight.quantizer, %conv1.bias)
relu1 = Relu(conv1)
relu1.quantizer = FakeQuantize(relu1, %relu1.quantizer.scale, %relu1.quantizer.zero_point)
conv2.weight.quantizer = FakeQuantize(%conv2.weight, %conv2.weight.quantizer.scale, %conv2.weight.quantizer.zero_point)
conv2 = Conv(relu1.quantizer, conv2.weight.quantizer, %conv2.bias)
conv2.quantizer = FakeQuantize(conv2, %conv2.quantizer.scale, %conv2.quantizer.zero_point)
add = Add(conv2.quantizer, relu1.quantizer)
relu2 = Relu(add)
relu2.quantizer = FakeQuantize(relu2, %relu2.quantizer.scale, %relu2.quantizer.zero_point)
pool = GlobalAveragePool(relu2.quantizer)
pool.quantizer = FakeQuantize(pool, %pool.quantizer.scale, %pool.quantizer.zero_point)
flat = Flatten(pool.quantizer)
fc.weight.quantizer = FakeQuantize(%fc.weight, %fc.weight.quantizer.scale, %fc.weight.quantizer.zero_point)
fc = Gemm(flat, fc.weight.quantizer, %fc.bias)
)");
}

TEST_CASE("insertion: what a Concat joins shares one scale; a MaxPool's input is quantised before it") {
  REQUIRE(quantised_wiring(kSkip) ==
          R"(input.quantizer = FakeQuantize(input, %input.quantizer.scale, %input.quantizer.zero_point)
a.weight.quantizer = FakeQuantize(%a.weight, %a.weight.quantizer.scale, %a.weight.quantizer.zero_point)
a = Conv(input.quantizer, a.weight.quantizer, %a.bias)
a_relu = Relu(a)
a_relu.quantizer = FakeQuantize(a_relu, %a_relu.quantizer.scale, %a_relu.quantizer.zero_point)
pooled = MaxPool(a_relu.quantizer)
d.weight.quantizer = FakeQuantize(%d.weight, %d.weight.quantizer.scale, %d.weight.quantizer.zero_point)
d = Conv(pooled, d.weight.quantizer, %d.bias)
d_relu = Clip(d)
d_relu.quantizer = FakeQuantize(d_relu, %a_relu.quantizer.scale, %a_relu.quantizer.zero_point)
both = Concat(a_relu.quantizer, d_relu.quantizer)
head.weight.quantizer = FakeQuantize(%head.weight, %head.weight.quantizer.scale, %head.weight.quantizer.zero_point)
head = Conv(both, head.weight.quantizer, %head.bias)
)");
}

TEST_CASE("insertion: weights have a scale per output channel, also depthwise and linear ones") {
  auto graph = filled_graph(kSkip);
  quantize(graph, kPostTrain, "{}", calibration_of({random_tensor({4, 3, 8, 8}, 9)}));
  REQUIRE(graph.parameter("d.weight.quantizer.scale").value.sizes() == at::IntArrayRef{4});
  REQUIRE(graph.node("d.weight.quantizer").attributes.integer("axis", -1) == 0);
  auto residual = filled_graph(kResidual);
  quantize(residual, kPostTrain, "{per_channel_weights: false}", calibration_of({random_tensor({4, 3, 8, 8}, 9)}));
  REQUIRE(residual.parameter("fc.weight.quantizer.scale").value.dim() == 0);
  REQUIRE_FALSE(residual.node("fc.weight.quantizer").attributes.has("axis"));
}

TEST_CASE("insertion: a stack of matrices has one scale, and no groups") {
  const std::string stack = R"(graph stack(input: float[N,3,5,8]) -> (output = product)
parameter w: float[3,8,6]
product = MatMul(input, %w)
)";
  const auto batch = calibration_of({random_tensor({4, 3, 5, 8}, 9)});
  auto graph = filled_graph(stack);
  quantize(graph, "PostTrainQuantizer", "{}", batch);
  REQUIRE(graph.parameter("w.quantizer.scale").value.dim() == 0);
  REQUIRE_FALSE(graph.node("w.quantizer").attributes.has("axis"));
  auto grouped = filled_graph(stack);
  require_error([&] { quantize(grouped, "PostTrainQuantizer", "{group_size: 4}", batch); },
                "the weight of 'product' is a stack of matrices of shape 3x8x6: it has one scale, not groups of 4",
                "overrides: {product: {group_size: 0}}");
}

TEST_CASE("insertion: outputs are quantised on request only") {
  REQUIRE_THAT(quantised_wiring(kSkip, "{quantize_outputs: true}"),
               Catch::Contains("head.quantizer = FakeQuantize(head,"));
  auto graph = filled_graph(kSkip);
  quantize(graph, kPostTrain, "{quantize_outputs: true}", calibration_of({random_tensor({4, 3, 8, 8}, 9)}));
  REQUIRE(graph.outputs[0].value == "head.quantizer");
}

TEST_CASE("insertion: two layers that share a weight share its quantiser") {
  const auto text = quantised_wiring(R"(graph tied(input: float[N,3,8,8]) -> (output = b)
parameter w.weight: float[3,3,1,1]
a = Conv(input, %w.weight) kernel_shape=[1,1]
b = Conv(a, %w.weight) kernel_shape=[1,1]
)");
  REQUIRE_THAT(text, Catch::Contains("a = Conv(input.quantizer, w.weight.quantizer)"));
  REQUIRE_THAT(text, Catch::Contains("b = Conv(a.quantizer, w.weight.quantizer)"));
}

TEST_CASE("insertion: an activation that others overtake keeps a quantiser on both sides") {
  const auto text = quantised_wiring(R"(graph overtaken(input: float[N,3,8,8]) -> (output = add)
parameter w.weight: float[3,3,1,1]
a = Conv(input, %w.weight) kernel_shape=[1,1]
relu = Relu(a)
add = Add(a, relu)
)");
  REQUIRE_THAT(text, Catch::Contains("relu = Relu(a.quantizer)"));
  REQUIRE_THAT(text, Catch::Contains("add = Add(a.quantizer, relu.quantizer)"));
}

TEST_CASE("insertion: a quantised model is refused") {
  auto graph = filled_graph(kSkip);
  const auto calibration = calibration_of({random_tensor({4, 3, 8, 8}, 9)});
  quantize(graph, kPostTrain, "{}", calibration);
  require_error([&] { quantize(graph, kPostTrain, "{}", calibration); },
                "the model is quantised already: node 'input.quantizer' is a FakeQuantize",
                "start from the floating-point model");
}

namespace {

const std::string kAnyGrid = "PostTrainQuantizer";

Graph prepared(const std::string& text, const std::string& yaml, const std::string& quantizer = kAnyGrid) {
  auto graph = filled_graph(text);
  quantize(graph, quantizer, yaml, calibration_of({random_tensor({4, 3, 8, 8}, 9)}));
  return graph;
}

int64_t bits_of(const Graph& graph, const std::string& quantizer) {
  return graph.node(quantizer).attributes.integer("bits", 0);
}

/// Two convolutions that join in a Concat, and read one value.
const std::string kBranches = R"(graph branches(input: float[N,3,8,8]) -> (output = head)
parameter stem.weight: float[4,3,1,1]
parameter a.weight: float[4,4,1,1]
parameter b.weight: float[4,4,1,1]
parameter head.weight: float[2,8,1,1]
stem = Conv(input, %stem.weight) kernel_shape=[1,1]
a = Conv(stem, %a.weight) kernel_shape=[1,1]
b = Conv(stem, %b.weight) kernel_shape=[1,1]
both = Concat(a, b) axis=1
head = Conv(both, %head.weight) kernel_shape=[1,1]
)";

const std::string kOperands = R"(graph operands(input: float[N,3,8,8]) -> (output = sum)
parameter factor: float[3,1,1]
parameter offset: float[1] fixed
product = Mul(input, %factor)
sum = Add(product, %offset)
)";

}  // namespace

TEST_CASE("insertion: layers can be named by operator, and no-quant layers leave their readers on grids") {
  const auto graph = prepared(kResidual, "{overrides: {'op:Gemm': {bits_weights: 4}}, no_quant_layers: [conv1]}");
  REQUIRE(bits_of(graph, "fc.weight.quantizer") == 4);
  REQUIRE(graph.find_node("conv1.weight.quantizer") == nullptr);
  REQUIRE(graph.node("conv2").inputs[0] == "relu1.quantizer");  // conv2's input, by conv2's rule
}

TEST_CASE("insertion: an override of one value holds for all that share its grid") {
  const auto graph = prepared(kBranches, "{overrides: {b: {bits_activations: 4}}}");
  REQUIRE(bits_of(graph, "a.quantizer") == 4);
  REQUIRE(bits_of(graph, "b.quantizer") == 4);
  REQUIRE(graph.node("a.quantizer").inputs[1] == graph.node("b.quantizer").inputs[1]);
}

TEST_CASE("insertion: two overrides that want different grids for values of one grid are refused by name") {
  require_error([] { prepared(kBranches, "{overrides: {a: {bits_activations: 6}, b: {bits_activations: 4}}}"); },
                "'a' and 'b' want different grids for 'a': 6 bits asymmetric unsigned, and 4 bits asymmetric unsigned",
                "give both the same bits");
}

TEST_CASE("insertion: two readers that want different grids for a value which nobody else puts on one are refused") {
  require_error(
      [] {
        prepared(kBranches, "{no_quant_layers: [stem], overrides: {a: {bits_activations: 6}, b: {bits_activations: 6}, "
                            "head: {}, 'op:Concat': {}}}");
        prepared(kBranches,
                 "{calibration_samples: 4, overrides: {stem: {bits_activations: null, bits_weights: null}, a: "
                 "{input_overrides: {0: {bits_activations: 6}}}, b: {input_overrides: {0: {bits_activations: 4}}}}}",
                 "PostTrainLinearQuantizer");
      },
      "'a' and 'b' want different grids for 'stem': 6 bits symmetric, and 4 bits symmetric");
}

TEST_CASE("insertion: the override of an input that its maker puts on a grid is refused by both names") {
  require_error([] { prepared(kBranches, "{overrides: {a: {input_overrides: {0: {bits_activations: 4}}}}}"); },
                "'a' overrides its input 'stem', which 'stem' puts on a grid (8 bits asymmetric unsigned)",
                "give 'stem' the bits in 'overrides' instead");
  const auto graph = prepared(
      kResidual, "{quantize_inputs: false, overrides: {conv1: {input_overrides: {0: {bits_activations: 6}}}}}");
  REQUIRE(bits_of(graph, "input.quantizer") == 6);
  require_error([] { make_quantizer(kAnyGrid, "{overrides: {a: {input_overrides: {first: {bits_activations: 4}}}}}"); },
                "'first' in 'input_overrides' is no index of an input");
}

TEST_CASE("insertion: layers that share a weight must agree on its grid") {
  require_error(
      [&] { prepared(kTied, "{overrides: {b: {bits_weights: 4}}}"); },
      "'a' and 'b' share the parameter 'w.weight' and want different grids for it: 8 bits symmetric restricted, "
      "and 4 bits symmetric restricted");
  const std::string message = "want different grids for it: 8 bits symmetric restricted";
  require_error([&] { prepared(kTied, "{overrides: {b: {per_channel_weights: false}}}"); },
                message + ", axis 0, and 8 bits symmetric restricted, without axis",
                "give both the same bits and arguments in 'overrides'");
  require_error([&] { prepared(kTied, "{overrides: {b: {group_size: 3}}}"); },
                message + ", without group_size, and 8 bits symmetric restricted, group_size 3");
  require_error([&] { prepared(kTied, "{overrides: {a: {bits_accum: 16}}}"); },
                message + ", accumulator_bits 16, and 8 bits symmetric restricted, without accumulator_bits");
  require_error([&] { prepared(kTied, "{overrides: {b: {scale_approx_mult_bits: 8}}}"); },
                message + ", without multiplier_bits, and 8 bits symmetric restricted, multiplier_bits 8");
  require_error([&] { prepared(kTied, "{bits_weights: 3, overrides: {b: {weight_observer: mse}}}"); },
                "different grids for it: 3 bits symmetric restricted, from -", "give both the same bits and arguments");
  REQUIRE(prepared(kTied, "{overrides: {b: {per_channel_weights: true}}}").find_node("w.weight.quantizer") != nullptr);
}

TEST_CASE("insertion: layers whose output channels are other axes of a shared weight have one scale for all of it") {
  const std::string mirrored = R"(graph mirrored(input: float[N,3,8,8]) -> (output = b)
parameter w.weight: float[4,3,1,1]
a = Conv(input, %w.weight) kernel_shape=[1,1]
b = ConvTranspose(a, %w.weight) kernel_shape=[1,1]
)";
  require_error([&] { prepared(mirrored, "{runtime: null}"); },
                "8 bits symmetric restricted, axis 0, and 8 bits symmetric restricted, axis 1",
                "their output channels lie along different axes: give both one scale for the whole weight");
  REQUIRE(prepared(mirrored, "{runtime: null, per_channel_weights: false}").node("b").inputs[1] ==
          "w.weight.quantizer");
}

TEST_CASE("insertion: constant operands are on a grid, and a single one exactly") {
  auto graph = filled_graph(kOperands);
  graph.assign("offset", at::full({1}, 0.7F));
  quantize(graph, kAnyGrid, "{activations: symmetric}", calibration_of({random_tensor({4, 3, 8, 8}, 9)}));
  REQUIRE(graph.node("product").inputs[1] == "factor.quantizer");
  REQUIRE(graph.node("sum").inputs[1] == "offset.quantizer");
  const auto scale = graph.parameter("offset.quantizer.scale").value.item<float>();
  REQUIRE(scale * 127 == Approx(0.7F));  // +-127 steps: 0.7 is on the grid
  const auto tensorrt = prepared(kOperands, "{runtime: tensorrt}");
  REQUIRE(tensorrt.find_node("factor.quantizer") == nullptr);
}

TEST_CASE("insertion: fake layers and those in floating point put out values on a grid") {
  const auto fake = prepared(kResidual, "{overrides: {conv2: {fake: true}, fc: {fpq_module: 32}}}");
  REQUIRE(fake.find_node("conv2.weight.quantizer") == nullptr);
  REQUIRE(fake.find_node("conv2.quantizer") != nullptr);
  REQUIRE(fake.find_node("fc.weight.quantizer") == nullptr);
  REQUIRE(fake.node("fc").inputs[0] == "flat");
}

TEST_CASE("insertion: a layer computes with 16-bit floating-point numbers, or with 64-bit ones") {
  const auto x = random_tensor({4, 3, 8, 8}, 9);
  const auto expected = evaluated(filled_graph(kResidual), x);
  const std::string none = "bits_activations: null, bits_weights: null, overrides: {fc: {fpq_module: ";
  const auto half = prepared(kResidual, "{" + none + "16}}}");
  REQUIRE(half.node(half.node("fc").inputs[1]).attributes.text("format", "") == "float16");
  REQUIRE((evaluated(half, x) - expected).abs().max().item<float>() > 0);
  REQUIRE(evaluated(half, x).allclose(expected, 1e-2, 1e-2));
  const auto wide = prepared(kResidual, "{" + none + "64}}}");
  REQUIRE(wide.node(wide.node("fc").inputs[0]).op == "Cast");
  REQUIRE(evaluated(wide, x).scalar_type() == at::kFloat);
  REQUIRE(evaluated(wide, x).allclose(expected, 1e-5, 1e-5));
  require_error([&] { make_quantizer(kAnyGrid, "{overrides: {fc: {fpq_module: 8}}}"); }, "'fpq_module' is 8",
                "16, 32 or 64");
}

TEST_CASE("insertion: a whole network computes in 64-bit floating-point numbers, integers stay integers") {
  const std::string text = R"(graph picks(input: float[N,3,8,8]) -> (output = picked, place = best)
parameter w.weight: float[3,3,1,1]
a = Conv(input, %w.weight) kernel_shape=[1,1]
parts, parts:1, parts:2 = Split(a) axis=1
sum = Add(parts:1, parts:2)
picked = Sqrt(sum)
best = ArgMax(a) axis=1
)";
  const auto x = random_tensor({4, 3, 8, 8}, 9).abs();
  auto plain = filled_graph(text);
  plain.assign("w.weight", plain.parameter("w.weight").value.abs());
  auto wide = plain.clone();
  quantize(wide, kAnyGrid, "{bits_activations: null, bits_weights: null, overrides: {'.*': {fpq_module: 64}}}",
           calibration_of({x}));
  const auto both = [&](const Graph& graph) {
    const at::Tensor inputs[] = {x};
    return exec::Plan(graph, {.optimize = false}).run(inputs);
  };
  const auto expected = both(plain), results = both(wide);
  REQUIRE(results[0].scalar_type() == at::kFloat);
  REQUIRE(results[0].allclose(expected[0], 1e-5, 1e-5));
  REQUIRE(results[1].scalar_type() == at::kLong);
  REQUIRE(results[1].equal(expected[1]));
}

TEST_CASE("insertion: groups of input channels have scales of their own, and must divide the weight") {
  const auto graph = prepared(kResidual, "{group_size: 4, overrides: {conv1: {group_size: 0}}}");
  REQUIRE(graph.parameter("conv2.weight.quantizer.scale").value.sizes() == at::IntArrayRef{8, 2});
  REQUIRE(graph.parameter("conv1.weight.quantizer.scale").value.sizes() == at::IntArrayRef{8});
  require_error([&] { prepared(kResidual, "{group_size: 4}"); }, "conv1");
}

TEST_CASE("insertion: an observer chooses the range of weights, for each channel") {
  const auto plain = prepared(kResidual, "{bits_weights: 4}");
  const auto best = prepared(kResidual, "{bits_weights: 4, weight_observer: mse}");
  const auto scale = [](const Graph& graph) { return graph.parameter("conv2.weight.quantizer.scale").value; };
  REQUIRE(scale(best).le(scale(plain) * 1.0001).all().item<bool>());
  REQUIRE(scale(best).lt(scale(plain) * 0.99).any().item<bool>());
}

TEST_CASE("insertion: a nearest-neighbour Resize moves numbers, a linear one computes new ones") {
  const auto text = [](const std::string& mode) {
    return R"(graph up(input: float[N,3,8,8]) -> (output = c)
parameter w.weight: float[2,3,1,1]
r = Resize(input) mode=")" +
           mode + R"(" scales=[1.0,1.0,2.0,2.0]
c = Conv(r, %w.weight) kernel_shape=[1,1]
)";
  };
  REQUIRE(prepared(text("nearest"), "{}").find_node("r.quantizer") == nullptr);
  REQUIRE(prepared(text("linear"), "{}").find_node("r.quantizer") != nullptr);
}

TEST_CASE("insertion: weights that are not finite are named") {
  auto graph = filled_graph(kResidual);
  graph.assign("fc.weight", graph.parameter("fc.weight").value / 0.0);
  require_error([&] { quantize(graph, kAnyGrid, "{bits_activations: null}"); }, "parameter 'fc.weight' is not finite");
}

TEST_CASE("insertion: biases that are not finite are named, on a grid or not") {
  for (const auto* yaml : {"{bits_activations: null}", "{bits_activations: null, bits_bias: 16}"}) {
    auto graph = filled_graph(kResidual);
    graph.assign("fc.bias", graph.parameter("fc.bias").value / 0.0);
    require_error([&] { quantize(graph, kAnyGrid, yaml); }, "parameter 'fc.bias' is not finite: no grid covers it");
  }
}

TEST_CASE("insertion: a narrow accumulator does not go with biases that are not in its steps") {
  require_error([] { make_quantizer(kAnyGrid, "{bits_accum: 16, bits_bias: 8}"); },
                "'bits_accum' is 16, but 'bits_bias' gives biases a grid of their own",
                "a narrow accumulator adds the bias in its own steps: leave one of the two out");
  for (const auto* yaml :
       {"{runtime: tensorrt, bits_accum: 16}", "{runtime: tensorrt, overrides: {a: {bits_accum: 16}}}"})
    require_error([&] { make_quantizer(kAnyGrid, yaml); },
                  "'bits_accum' is 16, but this runtime keeps biases in floating point");
  make_quantizer(kAnyGrid, "{runtime: tensorrt, bits_accum: 32}");
}
