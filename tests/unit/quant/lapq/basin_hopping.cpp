#include "quant/lapq/basin_hopping.h"

#include "quant/lapq/powell.h"
#include "support/check_error.h"
#include "unit/quant/lapq/functions.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;
using quant::basin_hopping;
using quant::Evaluations;

namespace {

const auto kField = cube(2, -5, 5, 0.1);

quant::Outcome hop_about(Evaluations& loss, const quant::HopOptions& options, const Point& start = {3, -2}) {
  return basin_hopping(
      loss, kField, start, [&](const Point& from) { return powell(loss, kField, from, {}); }, options);
}

}  // namespace

TEST_CASE("basin-hopping: leaves local minima") {
  Evaluations once(plain(rastrigin), 20'000), often(plain(rastrigin), 20'000);
  REQUIRE(powell(once, kField, {3, -2}, {}).loss > 10);
  const auto found = hop_about(often, {.hops = 100, .length = 10, .seed = 1});
  REQUIRE(found.loss < 0.01);
  REQUIRE(found.loss == often.best().loss);
  REQUIRE(rastrigin(found.point) == found.loss);
  REQUIRE(found.iterations == 100);
  REQUIRE(found.stop == quant::Stop::iterations);
}

TEST_CASE("basin-hopping: the seed decides; without hops it is the local search") {
  Evaluations a(plain(rastrigin), 2000), b(plain(rastrigin), 2000), c(plain(rastrigin), 2000),
      d(plain(rastrigin), 2000);
  hop_about(a, {.hops = 5, .seed = 1});
  hop_about(b, {.hops = 5, .seed = 1});
  hop_about(c, {.hops = 5, .seed = 2});
  REQUIRE(a.save() == b.save());
  REQUIRE(a.save() != c.save());
  const auto none = hop_about(d, {.hops = 0});
  Evaluations e(plain(rastrigin), 2000);
  REQUIRE(none.point == powell(e, kField, {3, -2}, {}).point);
}

TEST_CASE("basin-hopping: the temperature decides from where it goes on") {
  const auto searched = [](double temperature) {
    Evaluations loss(plain(rastrigin), 20'000);
    const auto found = hop_about(loss, {.hops = 60, .temperature = temperature, .length = 10, .seed = 3});
    REQUIRE(found.loss < 0.01);
    return loss.count();
  };
  REQUIRE(searched(0) != searched(1000));
}

TEST_CASE("basin-hopping: stops when evaluations run out, goes on after an interruption") {
  Evaluations loss(plain(rastrigin), 150);
  const auto found = hop_about(loss, {.hops = 100});
  REQUIRE(found.stop == quant::Stop::evaluations);
  REQUIRE(loss.count() == 150);
  REQUIRE(found.loss == loss.best().loss);
  require_resumable(rastrigin, 400, [](Evaluations& each) { return hop_about(each, {.hops = 6, .seed = 9}); });
}

TEST_CASE("basin-hopping: options out of range") {
  Evaluations loss(plain(rastrigin), 100);
  require_error([&] { hop_about(loss, {.hops = -1}); }, "-1 hops; there must be none or more");
  require_error([&] { hop_about(loss, {.temperature = -2}); }, "the temperature is -2; it must not be negative");
  require_error([&] { hop_about(loss, {.length = 0}); }, "the length of a hop is 0; it must be positive");
  require_error([&] { hop_about(loss, {}, {9, 0}); }, "coordinate 0: the start 9 is outside the bounds");
}
