#include "early_exit/exits.h"

#include "early_exit/path_cost.h"
#include "support/captured_stderr.h"
#include "support/check_error.h"
#include "unit/early_exit/networks.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::early_exit;
using namespace compress::early_exit::fixtures;
using compress::test::require_error;

TEST_CASE("exits: a graph without a record has none", "[early_exit]") {
  REQUIRE(exits_of(small_network()).empty());
}

TEST_CASE("exits: a record that does not fit the graph is left aside", "[early_exit]") {
  for (
      const std::string record :
      {"no JSON", "3", "{}", R"({"final_output": "output"})", R"({"final_output": "nix", "branches": []})",
       R"({"final_output": "output", "branches": [{"name": "a", "output": "b", "value": "v", "loss_weight": 0.1, "threshold": 0.5}]})",
       R"({"final_output": "output", "branches": [{"name": "a", "output": "output", "value": "v", "loss_weight": 0.1, "threshold": 7}]})"}) {
    INFO(record);
    auto graph = small_network();
    graph.metadata["early_exits"] = record;
    REQUIRE(exits_of(graph).empty());
  }
}

TEST_CASE("exits: other thresholds, by name", "[early_exit]") {
  auto graph = network_with_exit(0.3, 0.5);
  set_thresholds(graph, {{"early", 0.125}});
  REQUIRE(exits_of(graph).branches.at(0).threshold == 0.125);
  require_error(
      [&] {
        set_thresholds(graph, {{"erly", 0.1}});
      },
      "'small' has no early exit 'erly'", "did you mean 'early'?");
  auto plain = small_network();
  require_error([&] { set_thresholds(plain, {{"early", 0.1}}); }, "'small' has no early exit 'early'", "it has none");
}

TEST_CASE("exits: a sample's cost is what its exit and those before it need", "[early_exit]") {
  auto graph = small_network();
  attach(graph, "early: {value: relu1, loss_weight: 0.2, threshold: 0.5}\n"
                "late: {value: relu2, kernel: 3, loss_weight: 0.2, threshold: 0.5}\n");
  const int64_t conv1 = 4 * 9 * 64, conv2 = 6 * 4 * 9 * 9, early = 3 * 4, late = 3 * 6, own = 3 * 6;
  const auto macs = path_macs(graph, exits_of(graph));
  REQUIRE(macs.size() == 3);
  // Averages count no multiply-accumulates here.
  REQUIRE(macs[0] == conv1 + early);
  REQUIRE(macs[1] == conv1 + early + conv2 + late);
  REQUIRE(macs[2] == conv1 + early + conv2 + late + own);
}
