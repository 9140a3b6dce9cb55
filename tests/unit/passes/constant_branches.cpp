#include "analysis/cost.h"
#include "passes/pass.h"
#include "support/check_error.h"
#include "support/random_graph.h"
#include "support/same_output.h"
#include "unit/prune/coupled_networks.h"

#include <ATen/ops/ones.h>

#include <catch2/catch.hpp>

using namespace compress;
using prune::fixtures::coupled_network;

namespace {

/// A stage of a residual network for small images: two convolutions, a shortcut that slices and pads.
Graph slice_and_pad() {
  return prune::fixtures::random_network(R"(graph g(x: float[N,3,8,8]) -> (fc)
parameter stem.weight: float[4,3,3,3]
parameter a.weight: float[8,4,3,3]
parameter na.weight: float[8]
parameter na.bias: float[8]
parameter na.mean: float[8] fixed
parameter na.var: float[8] fixed
parameter b.weight: float[8,8,3,3]
parameter nb.weight: float[8]
parameter nb.bias: float[8]
parameter nb.mean: float[8] fixed
parameter nb.var: float[8] fixed
parameter fc.weight: float[5,8]
stem = Conv(x, %stem.weight) kernel_shape=[3,3] pads=[1,1,1,1]
a = Conv(stem, %a.weight) kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2]
na = BatchNormalization(a, %na.weight, %na.bias, %na.mean, %na.var)
ra = Relu(na)
b = Conv(ra, %b.weight) kernel_shape=[3,3] pads=[1,1,1,1]
nb = BatchNormalization(b, %nb.weight, %nb.bias, %nb.mean, %nb.var)
half = Slice(stem) axes=[2,3] ends=[100,100] starts=[0,0] steps=[2,2]
wide = Pad(half) pads=[0,2,0,0,0,2,0,0]
sum = Add(nb, wide)
r = Relu(sum)
pool = GlobalAveragePool(r)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight) transB=1
)");
}

void zero(Graph& graph, const std::string& name) {
  graph.writable(name).zero_();
}

Graph thinned(const Graph& graph, Changes* changes = nullptr) {
  Graph thin = graph.clone();
  const Changes made = passes::run(*passes::passes().make("thin"), "thin", thin);
  if (changes) *changes = made;
  const at::Tensor x = test::random_input(graph, 2, 1);
  REQUIRE(test::relative_difference(test::output_of(thin, x), test::output_of(graph, x)) <= 1e-5);
  return thin;
}

bool has(const Graph& graph, const std::string& node) {
  return graph.find_node(node) != nullptr;
}

}  // namespace

TEST_CASE("thin: a branch that adds nothing goes, and the addition with it") {
  Graph graph = coupled_network("residual");
  zero(graph, "c.weight");
  Changes changes;
  const Graph thin = thinned(graph, &changes);
  for (const auto* node : {"b", "r", "c", "s"}) REQUIRE_FALSE(has(thin, node));
  REQUIRE(changes.removed == std::vector<std::string>{"b.weight", "b.bias", "c.weight"});
}

TEST_CASE("thin: a branch that adds a constant per channel becomes a parameter") {
  Graph graph = slice_and_pad();
  zero(graph, "b.weight");
  const Graph thin = thinned(graph);
  REQUIRE_FALSE(has(thin, "a"));
  REQUIRE_FALSE(has(thin, "nb"));
  REQUIRE(thin.node("sum").inputs[0] == "nb.constant");
  // the shortcut's padding is zero: what the constant alone makes is taken over by the next layer
  REQUIRE(thin.parameter("nb.constant").value.sizes() == at::IntArrayRef({4, 1, 1}));
}

TEST_CASE("thin: behind a slice-and-pad shortcut a zero branch leaves the shortcut alone") {
  Graph graph = slice_and_pad();
  for (const auto* name : {"b.weight", "nb.bias", "nb.mean"}) zero(graph, name);
  const Graph thin = thinned(graph);
  REQUIRE_FALSE(has(thin, "sum"));
  REQUIRE(analysis::cost(thin).macs < analysis::cost(graph).macs / 2);
}

TEST_CASE("thin: a zero shortcut goes and leaves the branch") {
  Graph graph = prune::fixtures::random_network(R"(graph g(x: float[N,3,8,8]) -> (sum)
parameter a.weight: float[4,3,3,3]
parameter b.weight: float[4,3,1,1]
a = Conv(x, %a.weight) kernel_shape=[3,3] pads=[1,1,1,1]
b = Conv(x, %b.weight) kernel_shape=[1,1]
sum = Add(a, b)
)");
  zero(graph, "b.weight");
  const Graph thin = thinned(graph);
  REQUIRE(thin.node_count() == 1);
  REQUIRE(thin.outputs[0].name == "sum");
  REQUIRE(thin.outputs[0].value == "a");
}

TEST_CASE("thin: a constant that differs from place to place stays") {
  Graph graph = coupled_network("residual");
  zero(graph, "b.weight");
  graph.assign("b.bias", at::ones({6}));
  REQUIRE(has(thinned(graph), "s"));
}

TEST_CASE("thin: what is computed from parameters alone is no branch") {
  Graph graph = prune::fixtures::random_network(R"(graph g(x: float[N,3,4]) -> (sum)
parameter w: float[4,6]
parameter table: float[9,6]
parameter place: int64[1] fixed
a = MatMul(x, %w)
b = Gather(%table, %place) axis=0
sum = Add(a, b)
)");
  graph.assign("place", graph.parameter("place").value.toType(at::kLong).fill_(2));
  Graph thin = graph.clone();
  passes::run(*passes::passes().make("thin"), "thin", thin);
  REQUIRE(has(thin, "b"));
}

TEST_CASE("thin: a zero layer without a way around it is an error") {
  Graph graph = coupled_network("depthwise");
  zero(graph, "a.weight");
  test::require_error([&] { thinned(graph); }, "channels of node 'a' (Conv) would be removed");
}
