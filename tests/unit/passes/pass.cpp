#include "passes/pass.h"

#include "graph/text_form.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::require_error;

namespace {

Graph with_identity() {
  return parse_graph("graph g(x: float[N,4]) -> (y = c)\na = Identity(x)\nb = Relu(a)\nc = Dropout(b)\n");
}

struct Vandal final : passes::Pass {
  Changes run(Graph& graph) override {
    graph.node("b").inputs[0] = "nowhere";
    return {};
  }
};

}  // namespace

TEST_CASE("remove identity: nodes that do nothing go, the output keeps its name") {
  Graph graph = with_identity();
  const auto changes = passes::run_all(passes::make_steps({"remove_identity"}), graph);
  REQUIRE(print_graph(graph) == "graph g(x: float[N,4]) -> (y = b)\nb = Relu(x)\n");
  REQUIRE(changes.nodes_changed == 2);
}

TEST_CASE("remove identity: Dropout stays on request") {
  Graph graph = with_identity();
  const auto pass = passes::passes().make("remove_identity");
  Settings settings;
  pass->declare(settings);
  settings.read(parse_yaml("dropout: false", "test.yaml"), "remove_identity");
  passes::run(*pass, "remove_identity", graph);
  REQUIRE(graph.find_node("c") != nullptr);
  REQUIRE(graph.find_node("a") == nullptr);
}

TEST_CASE("passes: a pass that breaks a law of graphs is named") {
  Graph graph = with_identity();
  Vandal vandal;
  require_error([&] { passes::run(vandal, "vandal", graph); }, "node 'b' reads 'nowhere', which nothing makes",
                "while checking what pass 'vandal' left");
}

TEST_CASE("passes: steps can be skipped, and running can stop at one") {
  Graph graph = with_identity();
  const auto steps = passes::make_steps({"fold_batchnorm", "remove_identity"});
  REQUIRE(passes::run_all(steps, graph, {.skip = {"remove_identity"}}).empty());
  REQUIRE(passes::run_all(steps, graph, {.stop_before = "remove_identity"}).empty());
  REQUIRE(graph.node_count() == 3);
  require_error([&] { passes::run_all(steps, graph, {.skip = {"fold_batchnrom"}}); },
                "no pass 'fold_batchnrom' is to be run; the passes are fold_batchnorm and remove_identity",
                "did you mean 'fold_batchnorm'?");
}

TEST_CASE("passes: an unknown name gets the nearest") {
  require_error([] { passes::make_steps({"thinn"}); }, "unknown pass 'thinn'", "did you mean 'thin'?");
}
