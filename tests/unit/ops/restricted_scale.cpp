#include "ops/restricted_scale.h"

#include "support/check_error.h"
#include "support/close.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace compress;
using namespace compress::ops;
using namespace compress::test;

namespace {

struct Approximation {
  double multiplier, shift, value;
  bool operator==(const Approximation&) const = default;
};

Approximation approximated(double scale, int64_t bits) {
  const auto result = fixed_point_scale(numbers({scale}), bits);
  return {result.multiplier.item<double>(), result.shift.item<double>(), result.value.item<double>()};
}

}  // namespace

TEST_CASE("restricted scale: powers of two are rounded up, exactly", "[ops]") {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const auto scales = numbers({0.25, 0.2500001, 0.3, 0.5, 1, 1.5, 3, 1e-6, 4096, std::exp2(-120)}).to(type);
    const auto expected = numbers({0.25, 0.5, 0.5, 0.5, 1, 2, 4, std::exp2(-19), 4096, std::exp2(-120)}).to(type);
    require_close(power_of_two(scales), expected, 0);
  }
}

TEST_CASE("restricted scale: a grid of powers of two covers the range", "[ops]") {
  const auto min = wild({50}, 1).sub(0.5), max = wild({50}, 2).add(0.7);
  for (const GridSpec& spec : {GridSpec{}, GridSpec{.narrow = true}, GridSpec{.is_signed = false, .symmetric = false},
                               GridSpec{.bits = 4, .symmetric = false}}) {
    auto restricted = spec;
    restricted.scale_rule = ScaleRule::power_of_two;
    const auto grid = make_grid(min, max, restricted), exact = make_grid(min, max, spec);
    require_close(power_of_two(grid.scale), grid.scale, 0);
    REQUIRE(grid.scale.ge(exact.scale).all().item<bool>());
    REQUIRE(grid.scale.lt(exact.scale.mul(2)).all().item<bool>());
    REQUIRE(grid.zero_point.eq(grid.zero_point.round()).all().item<bool>());
    const auto low = grid.zero_point.neg().add(spec.low()).mul(grid.scale);
    const auto high = grid.zero_point.neg().add(spec.high()).mul(grid.scale);
    const auto slack = grid.scale.mul(0.5 + 1e-9);
    REQUIRE(low.sub(slack).le(min.clamp_max(0)).all().item<bool>());
    REQUIRE(high.add(slack).ge(max.clamp_min(0)).all().item<bool>());
  }
}

TEST_CASE("restricted scale: a power of two has the zero point of its own scale", "[ops]") {
  const auto grid = make_grid(numbers({-1}), numbers({4}),
                              {.is_signed = false, .symmetric = false, .scale_rule = ScaleRule::power_of_two});
  REQUIRE(grid.scale.item<double>() == 1.0 / 32);
  REQUIRE(grid.zero_point.item<double>() == 32);
}

TEST_CASE("restricted scale: a fractional zero point puts the minimum on the lowest integer", "[ops]") {
  const GridSpec spec{.is_signed = false, .symmetric = false};
  const auto grid = make_fractional_grid(numbers({-2}), numbers({10}), spec);
  REQUIRE(grid.scale.item<double>() == 12.0 / 255);
  REQUIRE(grid.zero_point.item<double>() == 42.5);
  REQUIRE(make_grid(numbers({-2}), numbers({10}), spec).zero_point.item<double>() == 42);
  REQUIRE(make_fractional_grid(numbers({-2}), numbers({10}), {}).zero_point.item<double>() == 0);
}

TEST_CASE("restricted scale: multiplier and shift of a scale", "[ops]") {
  REQUIRE((approximated(1, 8) == Approximation{128, 7, 1}));
  REQUIRE((approximated(0.1, 8) == Approximation{204, 11, 204.0 / 2048}));
  REQUIRE((approximated(255, 8) == Approximation{255, 0, 255}));
  REQUIRE((approximated(256, 8) == Approximation{128, -1, 256}));
  REQUIRE((approximated(0.75, 2) == Approximation{3, 2, 0.75}));
  REQUIRE((approximated(1 / 3.0, 16) == Approximation{43690, 17, 43690.0 / 131072}));
}

TEST_CASE("restricted scale: the multiplier fills its bits and the value stays close below the scale", "[ops]") {
  const auto scale = wild({500}).abs().add(1e-3).pow(9);
  for (const int64_t bits : {2, 4, 8, 16, 31}) {
    const auto result = fixed_point_scale(scale, bits);
    const double most = std::exp2(static_cast<double>(bits)) - 1;
    REQUIRE(result.multiplier.le(most).all().item<bool>());
    REQUIRE(result.multiplier.ge(std::floor(most / 2)).all().item<bool>());
    REQUIRE(result.value.le(scale).all().item<bool>());
    REQUIRE(scale.sub(result.value).div(scale).lt(2 / most).all().item<bool>());
    require_close(result.value, result.multiplier.mul(result.shift.neg().exp2()), 1e-12);
    // By Distiller's formula, where no tie makes logarithms uncertain.
    require_close(result.shift, scale.reciprocal().mul(most).log2().floor(), 0);
  }
}

TEST_CASE("restricted scale: wrong bits and scales are refused", "[ops]") {
  require_error([] { approximated(1, 1); }, "a multiplier of 1 bits", "allowed are 2 to 31 bits");
  require_error([] { approximated(1, 32); }, "a multiplier of 32 bits");
  require_error([] { approximated(0, 8); }, "the scale 0 cannot be approximated", "positive finite numbers");
  require_error([] { approximated(-0.5, 8); }, "the scale -0.5 cannot");
  require_error([] { approximated(std::nan(""), 8); }, "the scale nan cannot");
  require_error([] { approximated(std::numeric_limits<double>::infinity(), 8); }, "the scale inf cannot");
}
