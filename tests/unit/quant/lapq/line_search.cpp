#include "quant/lapq/line_search.h"

#include "quant/lapq/brent.h"
#include "support/check_error.h"
#include "unit/quant/lapq/functions.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;
using quant::brent_minimum;
using quant::Direction;
using quant::Evaluations;

namespace {

/// Searches along the axis from `start` for the minimum of a function of one coordinate; the place found.
double on_axis(const std::function<double(double)>& function, double start, const quant::Region& region) {
  Evaluations loss([&](const Point& x, auto) { return function(x[0]); }, 1000);
  Point point{start};
  auto value = function(start);
  quant::search_line(loss, region, {region.step, 0}, {.tolerance = 1e-7, .max_evaluations = 60}, point, value);
  REQUIRE(value == function(point[0]));
  REQUIRE(value <= function(start));
  return point[0];
}

}  // namespace

TEST_CASE("brent: a parabola, a minimum at the end, a limit, an exception") {
  int64_t calls = 0;
  const auto parabola = [&](double x) {
    ++calls;
    return (x - 0.3) * (x - 0.3);
  };
  REQUIRE(brent_minimum(parabola, -1, 2, 1e-7, 100).x == Approx(0.3).margin(1e-6));
  REQUIRE(calls < 15);
  calls = 0;
  brent_minimum(parabola, -1, 2, 1e-7, 5);
  REQUIRE(calls == 5);
  REQUIRE(brent_minimum([](double x) { return -x; }, 0, 1, 1e-7, 100).x == 1);
  require_error([] { brent_minimum([](double) -> double { throw run_error("no power"); }, 0, 1, 0.1, 9); }, "no power");
}

TEST_CASE("line search: goes as far as the loss falls, in both directions") {
  const auto region = everywhere(1, 0.1);
  for (const double minimum : {-1000.0, -3.0, -0.05, 0.0, 0.02, 7.0, 500.0})
    REQUIRE(on_axis([&](double x) { return std::pow(x - minimum, 2); }, 0, region) ==
            Approx(minimum).margin(1e-5 * (1 + std::abs(minimum))));
}

TEST_CASE("line search: ends at the bounds") {
  const auto region = cube(1, -1, 2, 0.5);
  REQUIRE(on_axis([](double x) { return -x; }, 0, region) == 2);
  REQUIRE(on_axis([](double x) { return x; }, 0, region) == -1);
  REQUIRE(on_axis([](double x) { return x; }, -1, region) == -1);
  REQUIRE(on_axis([](double x) { return std::abs(x - 1.9); }, 2, region) == Approx(1.9).margin(1e-4));
  REQUIRE(on_axis([](double x) { return x; }, 3, cube(1, 3, 3, 0.5)) == 3);
}

TEST_CASE("line search: no place is evaluated twice, all but the axis keep their bits") {
  std::vector<Call> calls;
  Evaluations loss(recorded(rotated, calls), 1000);
  Point point{0.1, 1.0 / 3, 0.7};
  const auto start = point;
  auto value = rotated(point);
  quant::search_line(loss, cube(3, -3, 3, 0.5), {{0, 0.5, 0}, 1}, {}, point, value);
  REQUIRE(value < rotated(start));
  for (size_t i = 0; i < calls.size(); ++i) {
    REQUIRE(calls[i].axis == 1);
    REQUIRE(calls[i].point[0] == start[0]);
    REQUIRE(calls[i].point[2] == start[2]);
    for (size_t j = 0; j < i; ++j) REQUIRE(calls[i].point != calls[j].point);
  }
}

TEST_CASE("line search: keeps the best when evaluations run out") {
  Evaluations loss([](const Point& x, auto) { return -x[0]; }, 3);
  Point point{0};
  double value = 0;
  REQUIRE_THROWS_AS(quant::search_line(loss, cube(1, 0, 100, 1), {{1}, 0}, {}, point, value), quant::BudgetSpent);
  REQUIRE(point == loss.best().point);
  REQUIRE(value == loss.best().loss);
}

TEST_CASE("line search: how far an oblique direction can go") {
  const auto reach = quant::find_reach(cube(2, -1, 1, 1), {{0.5, -1}}, {0, 0.5});
  REQUIRE(reach.low == -0.5);
  REQUIRE(reach.high == 1.5);
  REQUIRE(quant::point_at(cube(2, -1, 1, 1), {{0.5, -1}}, {0, 0.5}, 1.5) == Point{0.75, -1});
}
