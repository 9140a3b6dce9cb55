#include "prune/structure.h"

#include "unit/prune/support.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::prune;
using namespace compress::prune::test;

TEST_CASE("structure: the number to remove is int(share * count)", "[prune]") {
  REQUIRE(structures_to_remove(16, 0.1, 1, Rounding::floor) == 1);
  REQUIRE(structures_to_remove(16, 0.5, 1, Rounding::floor) == 8);
  REQUIRE(structures_to_remove(512, 0.1, 1, Rounding::floor) == 51);
  REQUIRE(structures_to_remove(1024, 0.1, 1, Rounding::floor) == 102);
  REQUIRE(structures_to_remove(16, 0.1, 1, Rounding::ceil) == 2);
  REQUIRE(structures_to_remove(16, 0.1, 1, Rounding::round) == 2);
}

TEST_CASE("structure: a group size rounds again and never removes everything", "[prune]") {
  REQUIRE(structures_to_remove(64, 0.4, 8, Rounding::floor) == 24);
  REQUIRE(structures_to_remove(64, 0.4, 8, Rounding::ceil) == 32);
  REQUIRE(structures_to_remove(10, 0.95, 1, Rounding::ceil) == 9);
  REQUIRE(structures_to_remove(10, 0.9, 4, Rounding::ceil) == 8);
  REQUIRE(structures_to_remove(1, 0.5, 1, Rounding::ceil) == 0);
}

TEST_CASE("structure: channels are ranked by their mean magnitude over all filters", "[prune]") {
  std::vector<float> values;
  for (int filter = 1; filter <= 3; ++filter)
    for (int i = 1; i <= 8; ++i) values.push_back(static_cast<float>(10 * filter + i));
  const auto weight = at::tensor(values).view({3, 2, 2, 2});
  const auto norms = mean_l1(weight, Group::channels);
  REQUIRE(norms.equal(at::tensor({22.5f, 26.5f})));
  REQUIRE(rank_and_cut(norms, 1).equal(at::tensor({0.f, 1.f})));
}

TEST_CASE("structure: rows of a linear layer are the stored columns", "[prune]") {
  const auto weight = at::arange(1, 10).to(at::kFloat).view({3, 3});
  const auto norms = mean_l1(weight, Group::rows);
  REQUIRE(norms.equal(at::tensor({4.f, 5.f, 6.f})));
  const auto mask =
      expand_map(rank_and_cut(norms, structures_to_remove(3, 0.5, 1, Rounding::floor)), weight.sizes(), Group::rows);
  REQUIRE(mask.equal(at::tensor({0.f, 1.f, 1.f, 0.f, 1.f, 1.f, 0.f, 1.f, 1.f}).view({3, 3})));
}

TEST_CASE("structure: of equally strong filters only the asked number goes", "[prune]") {
  REQUIRE(rank_and_cut(at::tensor({1.f, 1.f, 1.f, 1.f}), 2).equal(at::tensor({0.f, 0.f, 1.f, 1.f})));
}

TEST_CASE("structure: a weight without such structures is refused", "[prune]") {
  const std::vector<int64_t> bias{4}, kernel{4, 2, 3, 3};
  REQUIRE_THROWS_WITH(require_structures("bn1.weight", bias, Group::filters),
                      Catch::Contains("'bn1.weight' has no filters: its shape is 4"));
  REQUIRE_THROWS_WITH(require_structures("bn1.weight", bias, Group::channels),
                      Catch::Contains("'bn1.weight' has no channels"));
  REQUIRE_THROWS_WITH(require_structures("conv1.weight", kernel, Group::rows),
                      Catch::Contains("'conv1.weight' has no rows: its shape is 4x2x3x3") &&
                          Catch::Contains("Filters or Channels"));
}
