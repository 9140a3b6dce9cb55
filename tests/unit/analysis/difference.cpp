#include "analysis/difference.h"

#include "support/check_error.h"
#include "support/tensors.h"

#include <cmath>
#include <limits>

using namespace compress;
using namespace compress::test;
using analysis::Difference;

namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

Difference difference(const std::vector<double>& reference, const std::vector<double>& other) {
  Difference d;
  d.add(numbers(reference), numbers(other));
  return d;
}

}  // namespace

TEST_CASE("difference: SQNR, errors and cosine are those of the textbook") {
  const auto d = difference({3, -4, 0, 0}, {3, -3, 0, 0.5});
  REQUIRE(d.numbers() == 4);
  REQUIRE(d.sqnr() == Approx(10 * std::log10(25 / 1.25)));
  REQUIRE(d.max_error() == 1);
  REQUIRE(d.mean_error() == Approx(0.375));
  REQUIRE(d.mean_absolute_error() == Approx(0.375));
  REQUIRE(d.cosine() == Approx((9 + 12) / (5 * std::sqrt(18.25))));
}

TEST_CASE("difference: batches add up to what one batch would give") {
  const auto x = wild({40, 7}), y = x.add(wild({40, 7}, 1), 0.01);
  Difference whole, parts;
  whole.add(x, y);
  for (int64_t i = 0; i < 40; i += 9) parts.add(x.slice(0, i, i + 9), y.slice(0, i, i + 9));
  REQUIRE(parts.sqnr() == Approx(whole.sqnr()));
  REQUIRE(parts.max_error() == whole.max_error());
  REQUIRE(parts.cosine() == Approx(whole.cosine()));
}

TEST_CASE("difference: equal numbers have no noise, also when all are 0 or the same infinity") {
  REQUIRE(difference({1, 2}, {1, 2}).sqnr() == kInfinite);
  REQUIRE(difference({0, 0}, {0, 0}).exact());
  REQUIRE(difference({0, 0}, {0, 0}).cosine() == 1);
  const auto masked = difference({-kInfinite, 2}, {-kInfinite, 2});
  REQUIRE(masked.exact());
  REQUIRE(difference({-kInfinite, 2}, {-kInfinite, 3}).sqnr() == Approx(10 * std::log10(4)));
}

TEST_CASE("difference: what is not finite on one side only, or noise where nothing should be, is the worst") {
  REQUIRE(difference({1, 2}, {1, kInfinite}).sqnr() == -kInfinite);
  REQUIRE(difference({1, 2}, {1, std::nan("")}).sqnr() == -kInfinite);
  REQUIRE(difference({1, 2}, {1, std::nan("")}).max_error() == kInfinite);
  REQUIRE(difference({0, 0}, {0, 1e-9}).sqnr() == -kInfinite);
  Difference later;
  later.add(numbers({1}), numbers({std::nan("")}));
  later.add(numbers({1}), numbers({1}));
  REQUIRE(later.sqnr() == -kInfinite);
}

TEST_CASE("difference: nothing was seen") {
  REQUIRE(std::isnan(Difference().sqnr()));
  REQUIRE_FALSE(Difference().exact());
}

TEST_CASE("difference: shapes must be equal") {
  Difference d;
  require_error([&] { d.add(numbers({1, 2}), numbers({1, 2, 3})); }, "values of shape 2 and 3 cannot be compared");
}
