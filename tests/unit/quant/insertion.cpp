#include "quant/insertion.h"

#include "support/check_error.h"
#include "unit/quant/support.h"

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
