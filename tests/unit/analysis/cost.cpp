#include "analysis/cost.h"

#include "analysis/sparsity.h"
#include "graph/text_form.h"

#include <ATen/core/Tensor.h>

#include <catch2/catch.hpp>

#include <map>

using namespace compress;

namespace {

Graph small() {
  Graph graph = parse_graph(R"(graph g(x: float[N,3,8,8]) -> (fc)
parameter a.weight: float[4,3,3,3]
parameter a.bias: float[4]
parameter bn.mean: float[4] fixed
parameter fc.weight: float[10,256]
a = Conv(x, %a.weight, %a.bias) kernel_shape=[3,3] pads=[1,1,1,1]
r = Relu(a)
flat = Flatten(r)
fc = Gemm(flat, %fc.weight) transB=1
)");
  graph.writable("a.weight").narrow(0, 0, 3).fill_(1);
  graph.writable("fc.weight").fill_(1);
  return graph;
}

}  // namespace

TEST_CASE("cost: MACs and weights are those of convolutional and linear layers, for one sample") {
  const auto cost = analysis::cost(small());
  REQUIRE(cost.macs == 4 * 8 * 8 * 27 + 2560);
  REQUIRE(cost.weights == 108 + 2560);
  REQUIRE(cost.nonzero_weights == 81 + 2560);
  REQUIRE(cost.sparsity() == Approx(100.0 * 27 / 2668));
  REQUIRE(cost.effective_macs == Approx(3 * 8 * 8 * 27 + 2560));
  REQUIRE(cost.parameters == 108 + 4 + 2560);
  REQUIRE(cost.nonzero_parameters == 81 + 2560);
  REQUIRE(cost.bytes == 4 * (108 + 4 + 4 + 2560));
}

TEST_CASE("cost: each node has its shapes and counts") {
  const auto cost = analysis::cost(small());
  REQUIRE(cost.nodes.size() == 4);
  REQUIRE(cost.nodes[0].parameters == 112);
  REQUIRE(cost.nodes[0].output == Shape{1, 4, 8, 8});
  REQUIRE(cost.nodes[1].macs == 0);
  REQUIRE_FALSE(cost.nodes[1].weighted);
}

TEST_CASE("cost: a tied weight counts once, its MACs each time") {
  Graph graph = parse_graph(R"(graph tied(x: float[N,4]) -> (b)
parameter w: float[4,4]
a = Gemm(x, %w) transB=1
b = Gemm(a, %w) transB=1
)");
  const auto cost = analysis::cost(graph);
  REQUIRE(cost.weights == 16);
  REQUIRE(cost.macs == 32);
}

TEST_CASE("cost: a recurrent layer has two weights, and its MACs are weights times steps") {
  for (const auto& [op, gates] : std::map<std::string, int64_t>{{"LSTM", 4}, {"GRU", 3}, {"RNN", 1}}) {
    INFO(op);
    const auto rows = std::to_string(gates * 8);
    Graph graph = parse_graph("graph g(x: float[5,N,6]) -> (l)\nparameter w_ih: float[" + rows +
                              ",6]\nparameter w_hh: float[" + rows + ",8]\nl = " + op + "(x, %w_ih, %w_hh)\n");
    graph.writable("w_ih").fill_(1);
    const auto cost = analysis::cost(graph);
    REQUIRE(cost.nodes[0].weighted);
    REQUIRE(cost.nodes[0].weights == gates * 8 * (6 + 8));
    REQUIRE(cost.nodes[0].nonzero == gates * 8 * 6);
    REQUIRE(cost.nodes[0].weight_bytes == 4 * gates * 8 * (6 + 8));
    REQUIRE(cost.weights == gates * 8 * (6 + 8));
    REQUIRE(cost.nonzero_weights == gates * 8 * 6);
    REQUIRE(cost.macs == 5 * cost.weights);
    REQUIRE(cost.effective_macs == Approx(5 * cost.nonzero_weights));
    REQUIRE(analysis::sparsity(graph).size() == 2);
  }
}

TEST_CASE("cost: Distiller's SimpleNet, layer by layer") {
  const auto cost = analysis::cost(parse_graph(R"(graph g(x: float[N,3,32,32]) -> (fc3)
parameter conv1.weight: float[6,3,5,5]
parameter conv2.weight: float[16,6,5,5]
parameter fc1.weight: float[120,400]
parameter fc2.weight: float[84,120]
parameter fc3.weight: float[10,84]
conv1 = Conv(x, %conv1.weight) kernel_shape=[5,5]
pool1 = MaxPool(conv1) kernel_shape=[2,2] strides=[2,2]
conv2 = Conv(pool1, %conv2.weight) kernel_shape=[5,5]
pool2 = MaxPool(conv2) kernel_shape=[2,2] strides=[2,2]
flat = Flatten(pool2)
fc1 = Gemm(flat, %fc1.weight) transB=1
fc2 = Gemm(fc1, %fc2.weight) transB=1
fc3 = Gemm(fc2, %fc3.weight) transB=1
)"));
  std::vector<int64_t> macs;
  for (const auto& node : cost.nodes)
    if (node.weighted) macs.push_back(node.macs);
  REQUIRE(macs == std::vector<int64_t>{352800, 240000, 48000, 10080, 840});
  REQUIRE(cost.macs == 651720);
}

TEST_CASE("cost: integers of a quantised file are the weights that they stand for") {
  Graph graph = parse_graph(R"(graph qdq(x: float[N,4]) -> (a)
parameter w: int8[3,4] fixed
parameter w.scale: float[1] fixed
parameter w.zero: int8[1] fixed
parameter b: int32[3] fixed
parameter b.scale: float[1] fixed
w.q = DequantizeLinear(%w, %w.scale, %w.zero)
b.q = DequantizeLinear(%b, %b.scale)
a = Gemm(x, w.q, b.q) transB=1
)");
  graph.writable("w.scale").fill_(0.5);
  graph.writable("w.zero").fill_(3);
  graph.writable("w").fill_(3).select(0, 1).fill_(5);
  const auto cost = analysis::cost(graph);
  REQUIRE(cost.weights == 12);
  REQUIRE(cost.nonzero_weights == 4);
  REQUIRE(cost.parameters == 15);
  REQUIRE(cost.stored_bytes == 12 + 3 * 4);
  REQUIRE(cost.nodes.back().weight_bytes == 12);
  REQUIRE(cost.nodes.back().parameters == 15);
  const auto rows = analysis::sparsity(graph);
  REQUIRE(rows.size() == 1);
  REQUIRE(rows[0].elements == Approx(100 * 8.0 / 12));
  REQUIRE(rows[0].mean == Approx(4 * 1.0 / 12));
}
