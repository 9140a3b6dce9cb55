#include "ops/op.h"
#include "quant/export/lowering.h"
#include "unit/quant/export/lowered.h"

#include <ATen/TensorOperators.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

/// Integer layers round their sums once where the simulation rounds each product: an output may be a step away.
void require_close_to_simulation(Graph graph) {
  quant::finish(graph);
  const auto lowered = quant::lower_to_qoperator(graph);
  ops::verify(lowered);
  const auto x = random_tensor({8, 3, 8, 8}, 11) * 1.5;
  const auto expected = evaluated(graph, x), result = evaluated(lowered, x);
  const auto error = (result - expected).norm() / expected.norm();
  REQUIRE(error.item<double>() < 0.01);
  REQUIRE(evaluated(through_onnx(lowered), x).equal(result));
}

}  // namespace

TEST_CASE("lowering to integer operators: the residual block") {
  const auto lowered = quant::lower_to_qoperator(quantized_network(kResidual));
  REQUIRE(nodes_of(lowered, "Conv") == 0);
  REQUIRE(lowered.node("conv1").op == "QLinearConv");
  REQUIRE(lowered.node("conv1").inputs[3] == "conv1.weight");
  REQUIRE(lowered.node("conv1").inputs[8] == "conv1.bias");
  REQUIRE(lowered.find_node("relu1") == nullptr);  // its zero is the lowest integer
  // The logits stay in floating point: an exact sum, and its step.
  REQUIRE(lowered.node("fc").op == "Mul");
  REQUIRE(lowered.node("fc.sum").op == "MatMulInteger");
  REQUIRE(lowered.node("fc.biased").op == "Add");
  REQUIRE(lowered.parameter("fc.bias").value.scalar_type() == at::kInt);
  // Additions have no integer form in ONNX.
  REQUIRE(lowered.node("add").inputs[0] == "conv2.quantizer");
  REQUIRE(lowered.node("conv2.quantizer").op == "DequantizeLinear");
  REQUIRE(nodes_of(lowered, "FakeQuantize") == 0);
}

TEST_CASE("lowering to integer operators: a bias on a grid of its own is added along the channels") {
  for (const char* bits : {"8", "12"}) {
    auto graph = filled_graph(kSkip);
    quantize(graph, "PostTrainQuantizer", fmt::format("{{bits_bias: {}}}", bits),
             calibration_of({random_tensor({8, 3, 8, 8}, 9)}));
    require_close_to_simulation(std::move(graph));
  }
}

TEST_CASE("lowering to integer operators: what only moves values moves integers") {
  auto text = kSkip;
  text.replace(text.find("max=6.0"), 7, "max=0.5");
  const auto lowered = quant::lower_to_qoperator(quantized_network(text));
  REQUIRE(lowered.node("pooled").inputs[0] == "a");
  REQUIRE(lowered.node("d").inputs[0] == "pooled");
  REQUIRE(lowered.node("both").inputs == std::vector<std::string>{"a", "d.clip"});
  REQUIRE(lowered.node("d.clip").op == "Clip");
  REQUIRE(lowered.node("head.sum").op == "ConvInteger");
  REQUIRE(lowered.node("head").op == "Mul");
  REQUIRE(nodes_of(lowered, "QuantizeLinear") == 1);  // of the input
  REQUIRE(nodes_of(lowered, "DequantizeLinear") == 0);
}

TEST_CASE("lowering to integer operators: it computes what the simulation computes") {
  for (const std::string yaml : {"{}", "{per_channel_weights: false}", "{activations: symmetric}",
                                 "{activations: asymmetric_signed}", "{bits_activations: 6, bits_weights: 4}",
                                 "{quantize_outputs: true}", "{activations: symmetric, quantize_outputs: true}",
                                 "{overrides: {'conv2|d': {bits_activations: null, bits_weights: null}}}"})
    for (const auto& text : {kResidual, kSkip}) {
      INFO(yaml);
      require_close_to_simulation(quantized_network(text, yaml));
    }
}

TEST_CASE("lowering to integer operators: unsigned weights go with signed activations as signed ones") {
  auto graph = quantized_network(kSkip, "{activations: symmetric, quantize_outputs: true}");
  const ops::GridSpec spec{.bits = 8, .is_signed = false, .narrow = false, .symmetric = false};
  for (const auto& name : quantizers_of(graph, true)) put_on_grid(graph, name, spec, 0);
  require_close_to_simulation(graph.clone());
  const auto lowered = quant::lower_to_qoperator(graph);
  REQUIRE(lowered.node("a").op == "QLinearConv");
  REQUIRE(lowered.node("a").inputs[3] == "a.weight.signed");
  REQUIRE(lowered.parameter("a.weight.signed").value.scalar_type() == at::kChar);
}

TEST_CASE("lowering to integer operators: a sum whose weights have zero points of their own stays in the QDQ form") {
  auto graph = quantized_network(kSkip);
  const ops::GridSpec spec{.bits = 8, .is_signed = false, .narrow = false, .symmetric = false};
  put_on_grid(graph, "head.weight.quantizer", spec, 0);
  REQUIRE(quant::lower_to_qoperator(graph).node("head").op == "Conv");
}

TEST_CASE("lowering to integer operators: a linear layer without bias whose result is quantised is QLinearMatMul") {
  const std::string text = R"(graph linear(input: float[N,3,8,8]) -> (output = second)
parameter first.weight: float[16,192]
parameter second.weight: float[4,16]
flat = Flatten(input)
first = Gemm(flat, %first.weight) transB=1
relu = Relu(first)
second = Gemm(relu, %second.weight) transB=1
)";
  const auto lowered = quant::lower_to_qoperator(quantized_network(text));
  REQUIRE(lowered.node("first").op == "QLinearMatMul");
  REQUIRE(lowered.parameter(lowered.node("first").inputs[3]).value.sizes().vec() == std::vector<int64_t>{192, 16});
  REQUIRE(lowered.node("second.sum").op == "MatMulInteger");
  require_close_to_simulation(quantized_network(text));
}

TEST_CASE("lowering to integer operators: dynamic activations multiply integers and scale the sum") {
  auto graph = quantized_network(kResidual);
  make_dynamic(graph);
  require_close_to_simulation(graph.clone());
  const auto lowered = quant::lower_to_qoperator(graph);
  REQUIRE(lowered.node("conv1.sum").op == "ConvInteger");
  REQUIRE(lowered.node("conv1").op == "Add");  // the bias, in floating point
  REQUIRE(lowered.node("fc.sum").op == "MatMulInteger");
}

TEST_CASE("lowering to integer operators: 16 bits, groups and halves stay in the QDQ form") {
  auto graph = quantized_network(kResidual);
  put_on_grid(graph, "conv2.weight.quantizer", {.bits = 8, .is_signed = true, .narrow = true}, {0, 1, 4});
  put_on_grid(graph, "fc.weight.quantizer", {.bits = 16, .format = ops::GridFormat::float16});
  const auto lowered = quant::lower_to_qoperator(graph, 21);
  REQUIRE(lowered.node("conv1").op == "QLinearConv");
  REQUIRE(lowered.node("conv2").op == "Conv");
  REQUIRE(lowered.node("fc").op == "Gemm");
  require_close_to_simulation(graph.clone());
}
