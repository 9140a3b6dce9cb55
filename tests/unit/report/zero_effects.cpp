#include "report/zero_effects.h"

#include "graph/text_form.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;

namespace {

Graph two_layers() {
  Graph graph = parse_graph(R"(graph g(x: float[N,3,8,8]) -> (b)
parameter a.weight: float[4,3,3,3]
parameter b.weight: float[2,4,1,1]
a = Conv(x, %a.weight) kernel_shape=[3,3] pads=[1,1,1,1]
r = Relu(a)
b = Conv(r, %b.weight) kernel_shape=[1,1]
)");
  graph.assign("a.weight", test::wild_positive({4, 3, 3, 3}).to(at::kFloat));
  graph.assign("b.weight", test::wild_positive({2, 4, 1, 1}).to(at::kFloat));
  return graph;
}

std::optional<report::ZeroEffects> effects(const Graph& graph) {
  return report::zero_effects(graph, analysis::cost(graph));
}

}  // namespace

TEST_CASE("zero_effects: zero filters go by thinning, single zeros stay") {
  Graph graph = two_layers();
  REQUIRE_FALSE(effects(graph));
  graph.writable("a.weight").select(0, 1).zero_();
  graph.writable("b.weight").select(0, 0).select(0, 3).zero_();
  const auto found = *effects(graph);
  REQUIRE(found.zeros == 28);
  REQUIRE(found.removable_channels == 1);
  REQUIRE(found.removable_weights == 27 + 2);
  REQUIRE(found.removable_macs == 64 * (27 + 2));
  REQUIRE(found.staying_zeros == 1);
  REQUIRE(found.text() ==
          "What the 28 zeros do:\n"
          "  Thinning (--pass thin) removes 1 channel with 29 weights and 25.0 % of the MACs: less work "
          "everywhere.\n"
          "  1 zero stays in place: smaller files (--what storage), but no less work without kernels "
          "that skip zeros.\n");
  REQUIRE(graph.parameter("a.weight").value.size(0) == 4);
}

TEST_CASE("zero_effects: zeros without structure remove nothing") {
  Graph graph = two_layers();
  graph.writable("a.weight").select(3, 0).zero_();
  const auto found = *effects(graph);
  REQUIRE(found.removable_channels == 0);
  REQUIRE(found.staying_zeros == 36);
  REQUIRE_THAT(found.text(), Catch::Contains("finds no channel that they make superfluous") &&
                                 Catch::Contains("36 zeros stay in place"));
}

TEST_CASE("zero_effects: they stand under the compute and the sparsity summary") {
  Graph graph = two_layers();
  graph.writable("a.weight").select(0, 1).zero_();
  for (const auto* name : {"compute", "sparsity"}) {
    const auto forms = report::find_summary(name).make({.graph = graph});
    REQUIRE_THAT(forms.text, Catch::Contains("What the 27 zeros do:"));
    REQUIRE(forms.json["zeros"]["removable_channels"] == 1);
    REQUIRE(forms.json["zeros"]["staying_zeros"] == 0);
    const auto dense = two_layers();
    REQUIRE_FALSE(report::find_summary(name).make({.graph = dense}).json.contains("zeros"));
  }
}

TEST_CASE("zero_effects: a network of nothing but zeros") {
  Graph graph = two_layers();
  graph.writable("a.weight").zero_();
  graph.writable("b.weight").zero_();
  REQUIRE(effects(graph)->zeros == 116);
  REQUIRE_FALSE(effects(graph)->text().empty());
}
