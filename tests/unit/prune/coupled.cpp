#include "analysis/cost.h"
#include "analysis/granularity.h"
#include "passes/pass.h"
#include "prune/cut.h"
#include "prune/dependency.h"
#include "prune/measure.h"
#include "support/check_error.h"
#include "support/coupled_pruning.h"
#include "support/random_graph.h"
#include "support/same_output.h"
#include "unit/prune/coupled_networks.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace compress;
using compress::test::require_error;
using prune::Dependency;
using prune::Importance;
using prune::Unit;
using prune::fixtures::coupled_network;

namespace {

using Words = std::vector<std::string>;

/// Mean magnitude: what strengths are made of here.
class MeanMagnitude final : public prune::Criterion {
public:
  at::Tensor strengths(const prune::Candidate& candidate) const override {
    return candidate.granularity.gather(candidate.graph.parameter(candidate.parameter).value.detach().abs()).mean(1);
  }
};

std::unique_ptr<Dependency> coupled(const Graph& graph,
                                    Words& names,
                                    const Words& exact,
                                    const std::string& granularity = "filter",
                                    Importance importance = Importance::sum) {
  auto dependency = prune::make_coupled(importance);
  Problems problems;
  dependency->bind(graph, names, exact, *analysis::granularities().make(granularity), problems);
  problems.raise();
  return dependency;
}

std::vector<Unit> units_of(const Graph& graph, Words names, Importance importance = Importance::sum) {
  return coupled(graph, names, names, "filter", importance)->units(graph, MeanMagnitude(), {});
}

/// Half of the channels of every group go.
std::vector<at::Tensor> halves(const std::vector<Unit>& units) {
  std::vector<at::Tensor> maps;
  for (const auto& unit : units) maps.push_back(prune::cut_share(unit.strengths, 0.5));
  return maps;
}

void mask(Graph& graph, const std::map<std::string, at::Tensor>& masks) {
  for (const auto& [name, tensor] : masks) {
    prune::set_mask(graph, name, tensor);
    prune::apply_mask(graph, graph.parameter(name));
  }
}

/// Thins a copy and requires the same output.
Graph thinned(const Graph& graph) {
  Graph thin = graph.clone();
  passes::run(*passes::passes().make("thin"), "thin", thin);
  const at::Tensor x = test::random_input(graph, 2, 1);
  REQUIRE(test::relative_difference(test::output_of(thin, x), test::output_of(graph, x)) <= 1e-5);
  return thin;
}

}  // namespace

TEST_CASE("coupled: in each kind of structure exactly what was masked can be removed") {
  for (const auto& network : prune::fixtures::coupled_networks()) {
    INFO(network.kind);
    Graph graph = prune::fixtures::random_network(network.text);
    const double whole = prune::measure_dense(graph).macs;
    Words names = test::matrices_of(graph);
    const auto dependency = coupled(graph, names, {});
    const auto units = dependency->units(graph, MeanMagnitude(), {});
    const auto maps = halves(units);
    const auto measured = dependency->measure(graph, maps);
    REQUIRE(measured.macs < 0.8 * whole);
    mask(graph, dependency->masks(graph, maps));
    const auto cost = analysis::cost(thinned(graph));
    REQUIRE(static_cast<double>(cost.macs) == measured.macs);
    REQUIRE(static_cast<double>(cost.parameters) == measured.parameters);
    REQUIRE(static_cast<double>(cost.stored_bytes) == measured.bytes);
  }
}

TEST_CASE("coupled: a group's importance is the sum, the mean or the largest of its weights' strengths") {
  const Graph graph = coupled_network("residual");
  const Words names = {"a.weight", "c.weight"};
  const auto a = units_of(graph, {"a.weight"})[0].strengths, c = units_of(graph, {"c.weight"})[0].strengths;
  REQUIRE(units_of(graph, names).size() == 1);
  REQUIRE(units_of(graph, names)[0].strengths.allclose(a + c));
  REQUIRE(units_of(graph, names, Importance::mean)[0].strengths.allclose((a + c) / 2));
  REQUIRE(units_of(graph, names, Importance::max)[0].strengths.allclose(a.maximum(c)));
}

TEST_CASE("coupled: masks cover what makes a channel, not what reads or only scales it") {
  const Graph graph = coupled_network("residual");
  Words names = {"a.weight"};
  const auto dependency = coupled(graph, names, names);
  const Words masked = {"a.weight", "bn.weight", "bn.bias", "c.weight"};
  REQUIRE(dependency->masked(graph) == masked);
  const auto masks = dependency->masks(graph, {at::tensor({1.0F, 0.0F, 1.0F, 1.0F, 0.0F, 1.0F, 1.0F, 1.0F})});
  REQUIRE(masks.size() == masked.size());
  REQUIRE(masks.at("bn.bias").equal(at::tensor({1.0F, 0.0F, 1.0F, 1.0F, 0.0F, 1.0F, 1.0F, 1.0F})));
  REQUIRE(masks.at("c.weight").select(0, 4).count_nonzero().item<int64_t>() == 0);
  REQUIRE(masks.at("c.weight").count_nonzero().item<int64_t>() == 6 * 54);
  REQUIRE(units_of(graph, {"a.weight"})[0].elements == 27 + 54);
}

TEST_CASE("coupled: hidden units take the rows of all gates with them") {
  const Graph graph = coupled_network("hidden units");
  Words names = {"l.hh"};
  const auto dependency = coupled(graph, names, names);
  REQUIRE(dependency->masked(graph) == Words{"l.hh", "l.ih", "l.b", "l.c"});
  const auto masks = dependency->masks(graph, {at::tensor({0.0F, 1.0F, 1.0F, 1.0F, 1.0F, 1.0F})});
  for (const int64_t row : {0, 6, 12, 18}) REQUIRE(masks.at("l.ih")[row].sum().item<float>() == 0);
  REQUIRE(masks.at("l.ih").sum().item<float>() == 20 * 4);
}

TEST_CASE("coupled: channels are the inputs of a weight, and whatever makes them is masked") {
  const Graph graph = coupled_network("residual");
  Words names = {"c.weight"};
  const auto dependency = coupled(graph, names, names, "channel");
  REQUIRE(dependency->masked(graph) == Words{"c.weight", "b.weight", "b.bias"});
  const auto masks = dependency->masks(graph, {at::tensor({0.0F, 1.0F, 1.0F, 1.0F, 1.0F, 1.0F})});
  REQUIRE(masks.at("c.weight").select(1, 0).sum().item<float>() == 0);
  REQUIRE(masks.at("b.weight").select(0, 0).sum().item<float>() == 0);
}

TEST_CASE("coupled: filters of a transposed convolution are its outputs") {
  const Graph graph = coupled_network("transposed");
  const auto units = units_of(graph, {"up.weight"});
  REQUIRE(units.size() == 1);
  REQUIRE(units[0].strengths.numel() == 6);
}

TEST_CASE("coupled: the map of what has gone is read from the masks") {
  Graph graph = coupled_network("residual");
  REQUIRE_FALSE(units_of(graph, {"a.weight"})[0].map.defined());
  Words names = {"a.weight"};
  const auto dependency = coupled(graph, names, names);
  const auto maps = halves(dependency->units(graph, MeanMagnitude(), {}));
  mask(graph, dependency->masks(graph, maps));
  REQUIRE(dependency->units(graph, MeanMagnitude(), {})[0].map.equal(maps[0]));
}

TEST_CASE("coupled: it goes on after its channels were removed, and after a restart") {
  Graph graph = coupled_network("residual");
  Words names = {"a.weight", "b.weight"};
  const auto dependency = coupled(graph, names, names);
  mask(graph, dependency->masks(graph, halves(dependency->units(graph, MeanMagnitude(), {}))));
  dependency->apply(passes::run(*passes::passes().make("thin"), "thin", graph));
  const auto units = dependency->units(graph, MeanMagnitude(), {});
  REQUIRE(units.size() == 2);
  REQUIRE(units[0].strengths.numel() == 4);
  const auto restarted = prune::make_coupled(Importance::sum);
  restarted->load(dependency->save());
  REQUIRE(restarted->units(graph, MeanMagnitude(), {})[1].strengths.equal(units[1].strengths));
}

TEST_CASE("coupled: what cannot go is an error where its name was written, and left out where a pattern found it") {
  const Graph graph = coupled_network("residual");
  require_error(
      [&] {
        Words names = {"fc.weight"};
        coupled(graph, names, names);
      },
      "the channels of 'fc.weight' cannot be pruned: its channels must stay because of output 'fc' of the network",
      "leave it out of 'weights'", "--what groups");
  Words names = {"a.weight", "fc.weight"};
  coupled(graph, names, {});
  REQUIRE(names == Words{"a.weight"});
  require_error(
      [&] {
        Words none = {"fc.weight"};
        coupled(graph, none, {});
      },
      "none of the 1 selected weights has channels that may be removed");
  require_error(
      [&] {
        Words single = {"a.weight"};
        coupled(graph, single, single, "element");
      },
      "only whole filters and channels are coupled", "'dependency: none'");
}

TEST_CASE("coupled: an attention loses whole heads") {
  Graph graph = coupled_network("attention");
  Words names = {"v.weight"};
  const auto dependency = coupled(graph, names, names);
  REQUIRE(dependency->units(graph, MeanMagnitude(), {})[0].strengths.numel() == 2);
  const std::vector<at::Tensor> second = {at::tensor({1.0F, 0.0F})};
  const auto measured = dependency->measure(graph, second);
  mask(graph, dependency->masks(graph, second));
  const Graph thin = thinned(graph);
  REQUIRE(thin.node("q2").attributes.integers("shape", {}) == Shape{0, 5, 1, 4});
  REQUIRE(thin.node("y2").attributes.integers("shape", {}) == Shape{0, 5, 4});
  REQUIRE(thin.parameter("q.bias").value.numel() == 4);
  REQUIRE(static_cast<double>(analysis::cost(thin).macs) == measured.macs);
}

TEST_CASE("coupled: heads of the operators Attention and RotaryEmbedding go one by one") {
  for (const bool flat : {true, false}) {
    INFO((flat ? "[batch, length, channels]" : "[batch, heads, length, size]"));
    Graph graph = prune::fixtures::random_network(R"(graph g(x: float[N,5,6]) -> (out)
parameter q.weight: float[6,12]
parameter k.weight: float[6,12]
parameter v.weight: float[6,12]
parameter cos: float[1,5,2] fixed
parameter sin: float[1,5,2] fixed
parameter out.weight: float[12,6]
q = MatMul(x, %q.weight)
k = MatMul(x, %k.weight)
v = MatMul(x, %v.weight)
)" + std::string(flat ? R"(y = Attention(q, k, v) kv_num_heads=3 q_num_heads=3
out = MatMul(y, %out.weight)
)"
                      : R"(q2 = Reshape(q) shape=[0,0,3,4]
k2 = Reshape(k) shape=[0,0,3,4]
v2 = Reshape(v) shape=[0,0,3,4]
q3 = Transpose(q2) perm=[0,2,1,3]
q4 = RotaryEmbedding(q3, %cos, %sin)
k3 = Transpose(k2) perm=[0,2,1,3]
v3 = Transpose(v2) perm=[0,2,1,3]
y = Attention(q4, k3, v3)
y2 = Transpose(y) perm=[0,2,1,3]
y3 = Reshape(y2) shape=[0,0,12]
out = MatMul(y3, %out.weight)
)"));
    if (flat) graph.erase_unused_parameters();
    Words names = test::matrices_of(graph);
    const auto dependency = coupled(graph, names, {});
    const auto units = dependency->units(graph, MeanMagnitude(), {});
    REQUIRE(units.size() == 1);
    REQUIRE(units[0].strengths.numel() == 3);
    mask(graph, dependency->masks(graph, {at::tensor({0.0F, 1.0F, 0.0F})}));
    const Graph thin = thinned(graph);
    REQUIRE(thin.parameter("v.weight").value.sizes() == at::IntArrayRef({6, 4}));
    if (flat) REQUIRE(thin.node("y").attributes.integer("q_num_heads", 0) == 1);
  }
}
