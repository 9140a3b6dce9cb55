#include "ops/op.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

Graph graph_of(const std::string& lines) {
  return parse_graph("graph g(x: float[N,4,7,7], u: float[N,4]) -> (y = y)\n"
                     "parameter k: float[2,4,3,3]\nparameter w: float[4,5]\nparameter b: float[1,5]\n" +
                     lines);
}

Node& normalized(Graph& graph, const std::string& name = "y") {
  auto& node = graph.node(name);
  ops::op_of(node).normalize(graph, node);
  return node;
}

}  // namespace

TEST_CASE("normalize: auto_pad becomes pads for the input's size", "[ops]") {
  auto same = graph_of("p = MaxPool(x) kernel_shape=[2,2]\ny = Conv(p, %k) auto_pad=\"SAME_UPPER\" strides=[2,2]\n");
  const auto& node = normalized(same);
  REQUIRE_FALSE(node.attributes.has("auto_pad"));
  REQUIRE((node.attributes.integers("pads", {}) == std::vector<int64_t>{0, 0, 1, 1}));

  auto lower = graph_of("y = MaxPool(x) kernel_shape=[2,2] auto_pad=\"SAME_LOWER\"\n");
  REQUIRE((normalized(lower).attributes.integers("pads", {}) == std::vector<int64_t>{1, 1, 0, 0}));

  auto valid = graph_of("y = Conv(x, %k) auto_pad=\"VALID\" pads=[1,1,1,1]\n");
  REQUIRE_FALSE(normalized(valid).attributes.has("pads"));
}

TEST_CASE("normalize: Gemm takes its weight as [out, in], scaled, with a plain bias", "[ops]") {
  auto graph = graph_of("y = Gemm(u, %w, %b) alpha=0.5 beta=3.0\n");
  const auto w = wild({4, 5}), b = wild({1, 5}, 1), u = wild({2, 4}, 2);
  graph.assign("w", w);
  graph.assign("b", b);
  const auto before = run_op(graph.node("y"), {u, w, b})[0];
  const auto& node = normalized(graph);
  REQUIRE(node.attributes.integer("transB", 0) == 1);
  REQUIRE_FALSE(node.attributes.has("alpha"));
  REQUIRE_FALSE(node.attributes.has("beta"));
  REQUIRE(graph.parameter("b").value.sizes() == at::IntArrayRef{5});
  require_close(run_op(node, {u, graph.parameter("w").value, graph.parameter("b").value})[0], before, 1e-12);
}

TEST_CASE("normalize: Gemm leaves a weight that others read as it is", "[ops]") {
  auto graph = graph_of("a = MatMul(u, %w)\ng = Gemm(u, %w, %b)\ny = Add(a, g)\n");
  const auto& node = normalized(graph, "g");
  REQUIRE(node.inputs[1] == "w.g");
  REQUIRE(graph.parameter("w").value.sizes() == at::IntArrayRef({4, 5}));
  REQUIRE(graph.parameter("w.g").value.sizes() == at::IntArrayRef({5, 4}));
  ops::verify(graph);
}

TEST_CASE("normalize: Squeeze states the axes that are 1 for any batch", "[ops]") {
  auto graph = graph_of("p = GlobalAveragePool(x)\ny = Squeeze(p)\n");
  REQUIRE((normalized(graph).attributes.integers("axes", {}) == std::vector<int64_t>{2, 3}));
}

TEST_CASE("normalize: what the executor's mode decides is dropped", "[ops]") {
  auto graph = graph_of("d = Dropout(x, x, x) seed=1\ny, y:1 = Split(d) num_outputs=2 axis=1\n");
  REQUIRE(normalized(graph, "d").inputs.size() == 1);
  REQUIRE_FALSE(normalized(graph).attributes.has("num_outputs"));
  ops::verify(graph);
  auto plain = graph_of("y = Reshape(x) shape=[-1,7] allowzero=1\n");
  REQUIRE_FALSE(normalized(plain).attributes.has("allowzero"));
}
