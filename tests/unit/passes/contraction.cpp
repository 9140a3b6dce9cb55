#include "passes/contraction.h"

#include "exec/plan.h"
#include "graph/text_form.h"
#include "passes/pass.h"
#include "support/close.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;

namespace {

/// The graph with irregular numbers in all parameters.
Graph filled(const std::string& text) {
  Graph graph = parse_graph(text);
  double seed = 1;
  for (const auto& name : graph.parameter_names()) {
    auto value = graph.writable(name);
    value.copy_(test::wild(value.sizes().vec(), seed++));
  }
  return graph;
}

/// Thins and requires that the network still computes the same.
Graph thinned(const Graph& masked, const at::Tensor& input) {
  Graph graph = masked.clone();
  passes::run(*passes::passes().make("thin"), "thin", graph);
  const auto before = exec::Plan(masked).run(std::vector{input}), after = exec::Plan(graph).run(std::vector{input});
  for (size_t k = 0; k < before.size(); ++k) test::require_close(after[k], before[k], 1e-5);
  return graph;
}

Graph lstm_network() {
  return filled(R"(graph g(x: float[N,5,3]) -> (head)
parameter w: float[16,3]
parameter r: float[16,4]
parameter b: float[16]
parameter c: float[16]
parameter head.weight: float[4,2]
t = Transpose(x) perm=[1,0,2]
lstm = LSTM(t, %w, %r, %b, %c)
u = Transpose(lstm) perm=[1,0,2]
head = MatMul(u, %head.weight)
)");
}

at::Tensor sequence() {
  return test::wild({2, 5, 3}).to(at::kFloat);
}

/// Clears the rows of a unit in all four gates of a parameter.
void clear_unit(Graph& graph, const char* parameter, int64_t unit) {
  for (int64_t gate = 0; gate < 4; ++gate) graph.writable(parameter).select(0, 4 * gate + unit).zero_();
}

/// One head of attention over x [N,5,6] with products spelt out; query and key of 4, value of 3.
Graph attention_network() {
  return filled(R"(graph g(x: float[N,5,6]) -> (out)
parameter q: float[6,4]
parameter k: float[6,4]
parameter v: float[6,3]
parameter o: float[3,6]
query = MatMul(x, %q)
key = MatMul(x, %k)
value = MatMul(x, %v)
turned = Transpose(key) perm=[0,2,1]
scores = MatMul(query, turned)
weights = Softmax(scores)
mixed = MatMul(weights, value)
out = MatMul(mixed, %o)
)");
}

at::Tensor features() {
  return test::wild({2, 5, 6}).to(at::kFloat);
}

}  // namespace

TEST_CASE("thin: a hidden unit whose gates are zero goes with its rows, columns and readers", "[passes]") {
  auto graph = lstm_network();
  for (const auto* name : {"w", "r", "b", "c"}) clear_unit(graph, name, 1);
  const auto thin = thinned(graph, sequence());
  REQUIRE(thin.parameter("w").value.sizes() == at::IntArrayRef{12, 3});
  REQUIRE(thin.parameter("r").value.sizes() == at::IntArrayRef{12, 3});
  REQUIRE(thin.parameter("b").value.sizes() == at::IntArrayRef{12});
  REQUIRE(thin.parameter("head.weight").value.sizes() == at::IntArrayRef{3, 2});
}

TEST_CASE("thin: a hidden unit that nobody reads stays as long as it feeds other units", "[passes]") {
  auto graph = lstm_network();
  graph.writable("head.weight").select(0, 2).zero_();
  REQUIRE(thinned(graph, sequence()).parameter("r").value.size(1) == 4);
  graph.writable("r").select(1, 2).zero_();
  REQUIRE(thinned(graph, sequence()).parameter("r").value.size(1) == 3);
}

TEST_CASE("thin: input features that a recurrent layer does not read are left to it", "[passes]") {
  auto graph = filled(R"(graph g(x: float[N,5,3]) -> (u)
parameter e: float[3,6]
parameter w: float[8,6]
parameter r: float[8,8]
embedded = MatMul(x, %e)
t = Transpose(embedded) perm=[1,0,2]
rnn = RNN(t, %w, %r)
u = Transpose(rnn) perm=[1,0,2]
)");
  graph.writable("w").select(1, 0).zero_();  // not read
  graph.writable("e").select(1, 5).zero_();  // zero
  const auto thin = thinned(graph, sequence());
  REQUIRE(thin.parameter("e").value.sizes() == at::IntArrayRef{3, 4});
  REQUIRE(thin.parameter("w").value.sizes() == at::IntArrayRef{8, 4});
}

TEST_CASE("thin: a size of a head goes when query or key is zero there", "[passes]") {
  auto graph = attention_network();
  graph.writable("k").select(1, 2).zero_();
  graph.writable("v").select(1, 0).zero_();
  const auto thin = thinned(graph, features());
  REQUIRE(thin.parameter("q").value.sizes() == at::IntArrayRef{6, 3});
  REQUIRE(thin.parameter("k").value.sizes() == at::IntArrayRef{6, 3});
  REQUIRE(thin.parameter("v").value.sizes() == at::IntArrayRef{6, 2});
  REQUIRE(thin.parameter("o").value.sizes() == at::IntArrayRef{2, 6});
}

TEST_CASE("thin: sizes of heads that are used stay", "[passes]") {
  const auto thin = thinned(attention_network(), features());
  REQUIRE(thin.parameter("q").value.sizes() == at::IntArrayRef{6, 4});
  REQUIRE(thin.parameter("v").value.sizes() == at::IntArrayRef{6, 3});
}

TEST_CASE("thin: Attention and Einsum are sums over channels, too", "[passes]") {
  auto graph = filled(R"(graph g(x: float[N,5,6]) -> (out)
parameter q: float[6,8]
parameter k: float[6,8]
parameter v: float[6,8]
parameter o: float[8,6]
query = Einsum(x, %q) equation="bti,io->bto"
key = MatMul(x, %k)
value = MatMul(x, %v)
mixed = Attention(query, key, value) q_num_heads=2 kv_num_heads=2
out = MatMul(mixed, %o)
)");
  for (const auto* name : {"q", "k", "v"})
    for (const int64_t channel : {1, 5}) graph.writable(name).select(1, channel).zero_();  // index 1 of both heads
  const auto thin = thinned(graph, features());
  REQUIRE(thin.parameter("q").value.sizes() == at::IntArrayRef{6, 6});
  REQUIRE(thin.parameter("v").value.sizes() == at::IntArrayRef{6, 6});
  REQUIRE(thin.parameter("o").value.sizes() == at::IntArrayRef{6, 6});
  REQUIRE(thin.node("mixed").attributes.number("scale", 0) == 0.5);
}
