#include "early_exit/exit_config.h"

#include "support/check_error.h"
#include "unit/early_exit/networks.h"

#include <catch2/catch.hpp>

using compress::early_exit::final_loss_weight;
using compress::early_exit::fixtures::configs;
using compress::test::require_error;

TEST_CASE("early exits: a recipe's section is read", "[early_exit]") {
  const auto exits = configs("a: {value: relu1, kernel: 3, loss_weight: 0.4, threshold: 0.25}\n"
                             "b_2: {value: relu2, hidden: 16, loss_weight: 0, threshold: 1}\n");
  REQUIRE(exits.size() == 2);
  REQUIRE(exits[0].name == "a");
  REQUIRE(exits[0].value == "relu1");
  REQUIRE(exits[0].kernel == 3);
  REQUIRE_FALSE(exits[0].hidden);
  REQUIRE(exits[0].loss_weight == 0.4);
  REQUIRE(exits[0].threshold == 0.25);
  REQUIRE(exits[1].hidden == 16);
  REQUIRE(configs("").empty());
}

TEST_CASE("early exits: what is wrong in the section is said at its place", "[early_exit]") {
  require_error([] { configs("[a]"); }, "recipe.yaml:1:1: error: 'early_exits' must be a map of names", "not a list");
  require_error([] { configs("a: 3"); }, "recipe.yaml:1:4: error: exit 'a' must be a map with 'value'");
  require_error([] { configs("a: {value: x, loss_weight: 0.1, threshold: 1.5}"); },
                "recipe.yaml:1:44: error: ", "threshold", "in [0, 1]");
  require_error([] { configs("a: {value: x, loss_weight: 1, threshold: 1}"); },
                "recipe.yaml:1:28: error: ", "loss_weight", "in [0, 1)");
  require_error([] { configs("a: {value: x, threshold: 1}"); }, "recipe.yaml:1:4: error: ", "loss_weight");
  require_error([] { configs("a: {value: x, loss_weight: 0.1, treshold: 1}"); }, "'treshold'", "threshold");
  require_error([] { configs("a.b: {value: x, loss_weight: 0.1, threshold: 1}"); },
                "recipe.yaml:1:1: error: the exit's name 'a.b' may have letters, digits and '_' only");
  require_error([] { configs("final: {value: x, loss_weight: 0.1, threshold: 1}"); },
                "recipe.yaml:1:1: error: an exit cannot be called 'final'");
  require_error(
      [] {
        configs("a: {value: x, loss_weight: 0.1, threshold: 1}\n"
                "b: {value: x, loss_weight: 0.1, threshold: 1}\n");
      },
      "recipe.yaml:2:12: error: exits 'a' and 'b' are both on 'x'");
  require_error([] { configs("a: {value: x, loss_weight: 0.1, threshold: 1}\na: {value: y}\n"); }, "recipe.yaml:2:1",
                "'a'");
}

TEST_CASE("early exits: a branch begins with a value, or is the network's own", "[early_exit]") {
  REQUIRE(configs("a: {output: exit0, loss_weight: 0.1, threshold: 1}")[0].output == "exit0");
  require_error([] { configs("a: {loss_weight: 0.1, threshold: 1}"); },
                "recipe.yaml:1:4: error: exit 'a' needs one of 'value' and 'output'");
  require_error([] { configs("a: {value: x, output: y, loss_weight: 0.1, threshold: 1}"); }, "needs one of");
  require_error([] { configs("a: {output: y, kernel: 2, loss_weight: 0.1, threshold: 1}"); },
                "exit 'a' is the network's own branch, 'y', whose layers are given");
}

TEST_CASE("early exits: the weights leave something for the network's own output", "[early_exit]") {
  require_error(
      [] {
        configs("a: {value: x, loss_weight: 0.6, threshold: 0.5}\n"
                "b: {value: y, loss_weight: 0.4, threshold: 0.5}\n");
      },
      "recipe.yaml:1:1: error: the 'loss_weight's of the exits add up to 1; they must stay below 1");
  // 0.7 + 0.2 + 0.1 is below 1 in binary.
  require_error([] { final_loss_weight({0.7, 0.2, 0.1}); }, "add up to 1;");
  REQUIRE(final_loss_weight({0.25, 0.5}) == 0.25);
  REQUIRE(final_loss_weight({}) == 1);
}
