#include "prune/uncoupled.h"

#include "support/captured_stderr.h"
#include "unit/prune/coupled_networks.h"
#include "unit/prune/support.h"

#include <catch2/catch.hpp>

using namespace compress;
using prune::uncoupled_weights;
using prune::fixtures::coupled_network;

using Lines = std::vector<std::string>;

TEST_CASE("uncoupled: filters of a residual pair that are pruned apart are named") {
  const Graph graph = coupled_network("residual");
  REQUIRE(uncoupled_weights(graph, {"a.weight", "c.weight"}, true, false) ==
          Lines{"'a.weight' and 'c.weight' make the same channels, but each is pruned by a map of its own"});
  REQUIRE(uncoupled_weights(graph, {"a.weight"}, true, false) ==
          Lines{"'a.weight' and 'c.weight' make the same channels, but 'c.weight' is not pruned with the others"});
  REQUIRE(uncoupled_weights(graph, {"b.weight"}, true, false).empty());
}

TEST_CASE("uncoupled: a leader with all members is consistent, with some it is not") {
  const Graph graph = coupled_network("residual");
  REQUIRE(uncoupled_weights(graph, {"a.weight", "c.weight"}, true, true).empty());
  REQUIRE(uncoupled_weights(graph, {"c.weight"}, true, true).size() == 1);
}

TEST_CASE("uncoupled: channels that several weights read are named, too") {
  const Graph graph = coupled_network("residual");
  REQUIRE(uncoupled_weights(graph, {"b.weight"}, false, false) ==
          Lines{"'b.weight' and 'fc.weight' read the same channels, but 'fc.weight' is not pruned with the others"});
  REQUIRE(uncoupled_weights(graph, {"c.weight"}, false, false).empty());
}

TEST_CASE("uncoupled: a pruner that ranks coupled weights one by one warns of it and says what to do") {
  const Graph graph = coupled_network("residual");
  const auto said = test::captured_stderr([&] {
    prune::fixtures::bound_pruner(graph, "L1RankedStructureParameterPruner",
                                  "{desired_sparsity: 0.5, group_type: Filters, weights: [a.weight, c.weight]}");
  });
  for (const auto* part : {"'a.weight' and 'c.weight' make the same channels", "thinning can remove only",
                           "'group_dependency: Leader'", "'dependency: coupled'"})
    REQUIRE(said.find(part) != std::string::npos);
  const auto silent = test::captured_stderr([&] {
    prune::fixtures::bound_pruner(graph, "L1RankedStructureParameterPruner",
                                  "{desired_sparsity: 0.5, group_type: Filters, group_dependency: Leader, weights: "
                                  "[a.weight, c.weight]}");
  });
  REQUIRE(silent.find("the same channels") == std::string::npos);
}
