#include "prune/gradual.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::prune;

TEST_CASE("gradual: the cubic curve goes through both ends", "[prune]") {
  const Gradual gradual{.initial = 0.05, .final = 0.8};
  REQUIRE(gradual.at({.index = 0, .count = 11}) == Approx(0.05));
  REQUIRE(gradual.at({.index = 5, .count = 11}) == Approx(0.8 - 0.75 * 0.125));
  REQUIRE(gradual.at({.index = 10, .count = 11}) == Approx(0.8));
}

TEST_CASE("gradual: shares that do not rise and windows of one epoch are refused", "[prune]") {
  const auto gradual = [](double initial) {
    return Gradual{
        .initial_name = "initial_sparsity", .final_name = "final_sparsity", .initial = initial, .final = 0.8};
  };
  REQUIRE_THROWS_WITH(gradual(0.8).check({.count = 5}),
                      Catch::Contains("'final_sparsity' (0.8) must be above 'initial_sparsity' (0.8)"));
  REQUIRE_THROWS_WITH(gradual(0.1).check({.count = 1}),
                      Catch::Contains("needs at least two active epochs") && Catch::Contains("not 1"));
}
