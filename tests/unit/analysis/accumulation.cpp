#include "analysis/accumulation.h"

#include "graph/text_form.h"
#include "support/tensors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;
using analysis::Accumulation;

namespace {

std::string simulated(const std::string& weight_grid, const std::string& input_grid = "bits=8 signed=0 symmetric=0") {
  return "graph net(x: float[N,4]) -> (y = fc)\n"
         "parameter x.quantizer.scale: float[]\nparameter x.quantizer.zero_point: float[]\n"
         "parameter fc.weight: float[2,4]\n"
         "parameter fc.weight.quantizer.scale: float[]\nparameter fc.weight.quantizer.zero_point: float[]\n"
         "parameter fc.bias: float[2]\n"
         "x.quantizer = FakeQuantize(x, %x.quantizer.scale, %x.quantizer.zero_point) " +
         input_grid +
         "\n"
         "fc.weight.quantizer = FakeQuantize(%fc.weight, %fc.weight.quantizer.scale, "
         "%fc.weight.quantizer.zero_point) " +
         weight_grid +
         "\n"
         "fc = Gemm(x.quantizer, fc.weight.quantizer, %fc.bias) transB=1\n";
}

/// Weights are given as integers.
Graph with_weights(const std::string& text, const std::vector<double>& codes, double zero_point = 0) {
  auto graph = parse_graph(text);
  graph.assign("x.quantizer.scale", at::scalar_tensor(0.5, at::kFloat));
  graph.assign("fc.weight.quantizer.scale", at::scalar_tensor(0.25, at::kFloat));
  graph.assign("fc.weight.quantizer.zero_point", at::scalar_tensor(zero_point, at::kFloat));
  graph.assign("fc.weight", numbers(codes).mul(0.25).reshape({2, 4}).to(at::kFloat));
  graph.assign("fc.bias", numbers({-12.5, 3}).to(at::kFloat));
  return graph;
}

Accumulation only(const Graph& graph) {
  const auto all = analysis::accumulations(graph);
  REQUIRE(all.size() == 1);
  return all[0];
}

}  // namespace

TEST_CASE("accumulation: the largest pair of one sign and the largest sum, with the bias on its grid") {
  const auto layer = only(with_weights(simulated("bits=8"), {100, -127, 28, 3, 5, -80, -60, 127}));
  REQUIRE(layer.layer == "fc");
  REQUIRE(layer.weights == "fc.weight.quantizer");
  REQUIRE(layer.largest_weight == 127);
  REQUIRE(layer.largest_input == 255);
  REQUIRE(layer.pair == 255 * (80 + 60));
  REQUIRE(layer.channels == 2);
  REQUIRE(layer.pair_channels == 1);  // 100 + 28 = 128 fits: 32640
  REQUIRE(layer.pair_overflows());
  REQUIRE(layer.sum == 255 * (5 + 80 + 60 + 127) + 24);  // 3 / (0.5 * 0.25)
  REQUIRE(layer.sum_bits == 18);                         // 69384
  REQUIRE_FALSE(layer.sum_overflows());
}

TEST_CASE("accumulation: the columns of a stack of matrices are its outputs") {
  auto graph = parse_graph(R"(graph net(x: float[N,2,5,2]) -> (y = product)
parameter x.quantizer.scale: float[]
parameter x.quantizer.zero_point: float[]
parameter w: float[2,2,3]
parameter w.quantizer.scale: float[]
parameter w.quantizer.zero_point: float[]
x.quantizer = FakeQuantize(x, %x.quantizer.scale, %x.quantizer.zero_point) bits=8 signed=0 symmetric=0
w.quantizer = FakeQuantize(%w, %w.quantizer.scale, %w.quantizer.zero_point) bits=8
product = MatMul(x.quantizer, w.quantizer)
)");
  graph.assign("x.quantizer.scale", at::scalar_tensor(0.5, at::kFloat));
  graph.assign("w.quantizer.scale", at::scalar_tensor(1, at::kFloat));
  graph.assign("w.quantizer.zero_point", at::scalar_tensor(0, at::kFloat));
  graph.assign("w", numbers({100, 1, 1, 90, 2, 1, 3, 4, 1, 5, 6, 1}).reshape({2, 2, 3}).to(at::kFloat));
  const auto layer = only(graph);
  REQUIRE(layer.channels == 3);
  REQUIRE(layer.pair == 255 * (100 + 90));
  REQUIRE(layer.pair_channels == 1);
}

TEST_CASE("accumulation: one step decides") {
  REQUIRE_FALSE(only(with_weights(simulated("bits=8"), {64, 64, 0, 0, -64, -64, 0, 0})).pair_overflows());
  REQUIRE(only(with_weights(simulated("bits=8"), {64, 65, 0, 0, 0, 0, 0, 0})).pair_overflows());
}

TEST_CASE("accumulation: unsigned weights are summed in 32 bits") {
  const auto layer = only(with_weights(simulated("bits=8 signed=0 symmetric=0"), {100, 100, 0, 0, 0, 0, 0, -128}, 128));
  REQUIRE_FALSE(layer.signed_weights);
  REQUIRE(layer.pair == 255 * 200);
  REQUIRE_FALSE(layer.pair_overflows());
}

TEST_CASE("accumulation: signed inputs are shifted to bytes, few bits of them are small bytes") {
  const std::vector<double> weights{100, 100, 0, 0, 0, 0, 0, 0};
  REQUIRE(only(with_weights(simulated("bits=8", "bits=8"), weights)).largest_input == 255);
  REQUIRE(only(with_weights(simulated("bits=8", "bits=4"), weights)).largest_input == 135);
  const auto few = only(with_weights(simulated("bits=8", "bits=4 signed=0"), weights));
  REQUIRE(few.largest_input == 15);
  REQUIRE_FALSE(few.pair_overflows());
}

TEST_CASE("accumulation: a narrower accumulator overflows sooner") {
  const auto layer = only(with_weights(simulated("bits=8 accumulator_bits=16"), {127, 127, 1, 1, 0, 0, 0, 0}));
  REQUIRE(layer.accumulator_bits == 16);
  REQUIRE(layer.sum_bits == 17);
  REQUIRE(layer.sum_overflows());
}

TEST_CASE("accumulation: layers of other formats, more bits or inputs in floating point are none") {
  const std::vector<double> weights(8, 100);
  REQUIRE(analysis::accumulations(with_weights(simulated("bits=16"), weights)).empty());
  REQUIRE(analysis::accumulations(with_weights(simulated("bits=8", "bits=16"), weights)).empty());
  REQUIRE(analysis::accumulations(with_weights(simulated("format=\"float8_e4m3\" bits=8"), weights)).empty());
  REQUIRE(analysis::accumulations(parse_graph("graph g(x: float[N,4]) -> (y)\nparameter w: float[2,4]\n"
                                              "y = Gemm(x, %w) transB=1\n"))
              .empty());
}

TEST_CASE("accumulation: a depthwise convolution adds no pairs; a file's weights are read as they are") {
  auto graph = parse_graph(R"(graph net(x: float[N,2,8,8]) -> (y = conv)
parameter s: float[]
parameter z: uint8[]
parameter weight: int8[2,1,3,3]
parameter weight_scale: float[2]
parameter weight_zero: int8[2]
q = QuantizeLinear(x, %s, %z)
dq = DequantizeLinear(q, %s, %z)
moved = MaxPool(dq) kernel_shape=[3,3]
weight_dq = DequantizeLinear(%weight, %weight_scale, %weight_zero) axis=0
conv = Conv(moved, weight_dq) group=2 kernel_shape=[3,3]
)");
  graph.assign("weight", at::full({2, 1, 3, 3}, 127, at::kChar));
  const auto layer = only(graph);
  REQUIRE(layer.weights == "weight_dq");
  REQUIRE(layer.pair == 255 * 254);
  REQUIRE(layer.sum == 255 * 127 * 9);
  REQUIRE_FALSE(layer.adds_pairs);
  REQUIRE_FALSE(layer.pair_overflows());
}

TEST_CASE("accumulation: integer operators") {
  auto graph = parse_graph(R"(graph net(x: uint8[N,2,8,8]) -> (y = conv)
parameter xs: float[]
parameter xz: uint8[]
parameter w: int8[3,2,1,1]
parameter ws: float[]
parameter wz: int8[]
parameter ys: float[]
parameter yz: uint8[]
parameter b: int32[3]
conv = QLinearConv(x, %xs, %xz, %w, %ws, %wz, %ys, %yz, %b) kernel_shape=[1,1]
)");
  graph.assign("w", at::full({3, 2, 1, 1}, -100, at::kChar));
  graph.assign("b", at::full({3}, -7, at::kInt));
  const auto layer = only(graph);
  REQUIRE(layer.weights.empty());
  REQUIRE(layer.pair == 255 * 200);
  REQUIRE(layer.pair_channels == 3);
  REQUIRE(layer.sum == 255 * 200 + 7);
  REQUIRE(layer.pair_overflows());
}
