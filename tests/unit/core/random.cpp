#include "core/random.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

namespace compress {

TEST_CASE("random_key: depends on the seed, the purpose and each counter with its position", "[core]") {
  const std::set<uint64_t> keys = {
      random_key(1, "shuffle"),         random_key(2, "shuffle"),         random_key(1, "augment"),
      random_key(1, "shuffle", {0}),    random_key(1, "shuffle", {1}),    random_key(1, "shuffle", {0, 1}),
      random_key(1, "shuffle", {1, 0}), random_key(1, "shuffle", {0, 0}), random_key(0, "")};
  REQUIRE(keys.size() == 9);
  REQUIRE(random_key(1, "shuffle", {3, 4}) == random_key(1, "shuffle", {3, 4}));
}

TEST_CASE("random: the stream never changes, so that old runs can be repeated", "[core]") {
  Random random(42, "test", {7});
  const auto first = random();
  REQUIRE(first == Random(42, "test", {7})());
  REQUIRE(Random(0)() == 0xe220a8397b1dcdaf);  // splitmix64's published first value for the seed 0
  static_assert(std::uniform_random_bit_generator<Random>);
}

TEST_CASE("random: skip goes on as after so many draws", "[core]") {
  Random drawn(3, "skip"), skipped(3, "skip");
  for (int i = 0; i < 5; ++i) drawn.normal();
  skipped.skip(10);
  REQUIRE(drawn() == skipped());
}

TEST_CASE("random: uniform and normal have their moments", "[core]") {
  constexpr int kDraws = 20000;
  Random random(1, "moments");
  double sum = 0, normal_sum = 0, normal_squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform();
    REQUIRE((u >= 0 && u < 1));
    sum += u;
    const double n = random.normal();
    normal_sum += n;
    normal_squares += n * n;
  }
  const double tolerance = 4 / std::sqrt(kDraws);  // four standard errors
  REQUIRE(std::abs(sum / kDraws - 0.5) < tolerance);
  REQUIRE(std::abs(normal_sum / kDraws) < tolerance);
  REQUIRE(std::abs(normal_squares / kDraws - 1) < 2 * tolerance);
}

TEST_CASE("random: below hits every number about equally often", "[core]") {
  Random random(1, "below");
  std::vector<int> counts(5);
  for (int i = 0; i < 5000; ++i) ++counts.at(static_cast<size_t>(random.below(5)));
  for (const int count : counts) REQUIRE(std::abs(count - 1000) < 120);
  REQUIRE(random.below(1) == 0);
  REQUIRE(random.below(int64_t{1} << 62) >= 0);
}

TEST_CASE("random: chance and a range keep to their limits", "[core]") {
  Random random(1, "chance");
  for (int i = 0; i < 100; ++i) {
    REQUIRE_FALSE(random.chance(0));
    REQUIRE(random.chance(1));
    const double x = random.uniform(-2, 3);
    REQUIRE((x >= -2 && x < 3));
  }
}

TEST_CASE("permutation: holds each index once and depends on the key", "[core]") {
  const auto order = permutation(100, Random(1, "shuffle"));
  REQUIRE(std::set<int64_t>(order.begin(), order.end()).size() == 100);
  REQUIRE(*std::ranges::max_element(order) == 99);
  REQUIRE(order == permutation(100, Random(1, "shuffle")));
  REQUIRE(order != permutation(100, Random(2, "shuffle")));
  REQUIRE(permutation(0, Random(1)).empty());
}

}  // namespace compress
