#include "graph/text_form.h"
#include "passes/pass.h"
#include "support/random_graph.h"
#include "support/same_output.h"

#include <catch2/catch.hpp>

using namespace compress;

namespace {

Changes fold(Graph& graph) {
  return passes::run(*passes::passes().make("fold_batchnorm"), "fold_batchnorm", graph);
}

int count(const Graph& graph, const std::string& op) {
  int found = 0;
  for (const Node& node : graph.nodes()) found += node.op == op;
  return found;
}

}  // namespace

TEST_CASE("fold batch-norm: random networks compute the same without any") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    const Graph graph = test::random_graph(seed);
    Graph folded = graph.clone();
    fold(folded);
    REQUIRE(count(folded, "BatchNormalization") == 0);
    const at::Tensor x = test::random_input(graph, 2, seed);
    REQUIRE(test::relative_difference(test::output_of(folded, x), test::output_of(graph, x)) < 1e-5);
  }
}

TEST_CASE("fold batch-norm: a linear layer gets a bias, the batch-norm's parameters go") {
  Graph graph = parse_graph(R"(graph g(x: float[N,3]) -> (bn)
parameter fc.weight: float[4,3]
parameter bn.weight: float[4]
parameter bn.bias: float[4]
parameter bn.mean: float[4] fixed
parameter bn.var: float[4] fixed
fc = Gemm(x, %fc.weight) transB=1
bn = BatchNormalization(fc, %bn.weight, %bn.bias, %bn.mean, %bn.var) epsilon=0.0
)");
  graph.writable("fc.weight").fill_(1);
  graph.writable("bn.weight").fill_(2);
  graph.writable("bn.bias").fill_(3);
  graph.writable("bn.mean").fill_(1);
  graph.writable("bn.var").fill_(4);
  const Changes changes = fold(graph);
  REQUIRE(changes.added == std::vector<std::string>{"fc.bias"});
  REQUIRE(changes.removed == std::vector<std::string>{"bn.weight", "bn.bias", "bn.mean", "bn.var"});
  REQUIRE(graph.parameter("fc.weight").value.sum().item<float>() == 12);
  REQUIRE(graph.parameter("fc.bias").value.sum().item<float>() == 8);
  REQUIRE(graph.outputs[0].value == "fc");
}

TEST_CASE("fold batch-norm: a layer that others read or whose weight is tied is left alone") {
  Graph graph = parse_graph(R"(graph g(x: float[N,3,4,4]) -> (sum)
parameter w: float[3,3,1,1]
parameter v: float[3,3,1,1]
parameter s: float[3]
a = Conv(x, %w) kernel_shape=[1,1]
a.bn = BatchNormalization(a, %s, %s, %s, %s)
b = Conv(a.bn, %w) kernel_shape=[1,1]
c = Conv(b, %v) kernel_shape=[1,1]
c.bn = BatchNormalization(c, %s, %s, %s, %s)
sum = Add(c, c.bn)
)");
  REQUIRE(fold(graph).empty());
  REQUIRE(count(graph, "BatchNormalization") == 2);
}
