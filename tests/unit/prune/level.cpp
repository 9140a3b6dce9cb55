#include "prune/level.h"

#include "unit/prune/support.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::prune;
using namespace compress::prune::test;

TEST_CASE("level mask: exactly floor(level * count) elements go", "[prune]") {
  const auto mask = level_mask(at::rand({3, 64, 32, 32}), 0.3);
  REQUIRE(mask.sum().item<double>() == 3 * 64 * 32 * 32 - 58982);
}

TEST_CASE("level mask: of equal magnitudes only as many go as the level says, the first ones", "[prune]") {
  REQUIRE(level_mask(at::ones({10}), 0.5).equal(at::tensor({0., 0., 0., 0., 0., 1., 1., 1., 1., 1.}).to(at::kFloat)));
  REQUIRE(level_mask(at::tensor({1.f, -1.f, 2.f, -3.f}), 0.25).equal(at::tensor({0.f, 1.f, 1.f, 1.f})));
}

TEST_CASE("gradual level: the cubic curve goes through both ends", "[prune]") {
  const GradualLevel level{.initial = 0.05, .final = 0.8};
  REQUIRE(level.at({.index = 0, .count = 11}) == Approx(0.05));
  REQUIRE(level.at({.index = 5, .count = 11}) == Approx(0.8 - 0.75 * 0.125));
  REQUIRE(level.at({.index = 10, .count = 11}) == Approx(0.8));
}

TEST_CASE("gradual level: levels that do not rise and windows of one epoch are refused", "[prune]") {
  const GradualLevel falling{.initial = 0.8, .final = 0.8}, rising{.initial = 0.1, .final = 0.8};
  REQUIRE_THROWS_WITH(falling.check({.count = 5}),
                      Catch::Contains("'final_sparsity' (0.8) must be above 'initial_sparsity' (0.8)"));
  REQUIRE_THROWS_WITH(rising.check({.count = 1}),
                      Catch::Contains("needs at least two active epochs") && Catch::Contains("not 1"));
}
