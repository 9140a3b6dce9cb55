#include "quant/lapq/powell.h"

#include "core/file.h"
#include "core/random.h"
#include "support/check_error.h"
#include "unit/quant/lapq/functions.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;
using quant::Evaluations;
using quant::powell;
using quant::PowellOptions;

namespace {

constexpr PowellOptions kExact{
    .max_iterations = 200, .tolerance = 1e-12, .line = {.tolerance = 1e-6, .max_evaluations = 60}};

quant::Region golden_region(const nlohmann::json& bounds, size_t size) {
  auto region = everywhere(size, 0.5);
  if (bounds.is_null()) return region;
  for (size_t i = 0; i < size; ++i) {
    region.lower[i] = bounds[i][0];
    region.upper[i] = bounds[i][1];
  }
  return region;
}

/// Falls to 0 at 2 in steps of the height 0.25.
double stairs(const Point& x) {
  double sum = 0;
  for (const double v : x) sum += std::floor(std::abs(v - 2) * 4) / 4;
  return sum;
}

/// A bowl with bumps of +-0.01, the same at each call.
double noisy(const Point& x) {
  double sum = 0;
  for (const double v : x) sum += (v - 1) * (v - 1);
  const auto place = static_cast<uint64_t>(static_cast<int64_t>(std::llround(sum * 1e6)));
  return sum + Random(place).uniform(-0.01, 0.01);
}

}  // namespace

TEST_CASE("powell: finds the minima that SciPy's Powell finds, with about as many evaluations") {
  const auto golden = nlohmann::json::parse(read_file("tests/golden/scipy_powell.json"));
  for (const auto& each : golden["cases"]) {
    INFO(each.dump());
    const auto function = each["function"] == "beale" ? beale : each["function"] == "rotated" ? rotated : rosenbrock;
    const auto start = each["start"].get<Point>();
    Evaluations loss(plain(function), 10'000);
    const auto found = powell(loss, golden_region(each["bounds"], start.size()), start, kExact);
    INFO("evaluations " << loss.count() << ", loss " << found.loss);
    REQUIRE(found.stop == quant::Stop::converged);
    REQUIRE(found.loss <= each["loss"].get<double>() + 1e-7);
    REQUIRE(loss.count() <= 2 * each["evaluations"].get<int64_t>());
    REQUIRE(loss.best().loss <= found.loss);
    if (found.loss < each["loss"].get<double>() - 1e-4) continue;  // SciPy's stopped on the way, in a bent valley
    for (size_t i = 0; i < start.size(); ++i)
      REQUIRE(found.point[i] == Approx(each["point"][i].get<double>()).margin(2e-3));
  }
}

TEST_CASE("powell: stays inside the bounds") {
  std::vector<Call> calls;
  Evaluations loss(recorded(rosenbrock, calls), 2000);
  const auto found = powell(loss, cube(3, -0.5, 0.7, 0.2), {0, 0, 0}, kExact);
  for (const auto& call : calls)
    for (const double x : call.point) REQUIRE((x >= -0.5 && x <= 0.7));
  REQUIRE(found.point[0] == Approx(0.7).margin(0.2));
  REQUIRE(found.loss < rosenbrock({0, 0, 0}));
}

TEST_CASE("powell: a coordinate whose bounds are equal stays") {
  Evaluations loss(plain(rotated), 2000);
  auto region = cube(3, -3, 3, 0.5);
  region.lower[1] = region.upper[1] = -0.25;
  const auto found = powell(loss, region, {0, -0.25, 0}, kExact);
  REQUIRE(found.point[1] == -0.25);
  REQUIRE(found.loss < rotated({0, -0.25, 0}));
}

TEST_CASE("powell: functions in steps and with noise") {
  Evaluations steps(plain(stairs), 2000);
  const auto lowest = powell(steps, cube(3, 0, 10, 1), {9, 0.1, 5}, {});
  REQUIRE(lowest.loss == 0);
  Evaluations noise(plain(noisy), 2000);
  REQUIRE(powell(noise, cube(4, -5, 5, 0.5), {4, -4, 0, 3}, {}).loss < 0.1);
}

TEST_CASE("powell: losses that are no numbers are walked around") {
  Evaluations loss([](const Point& x, auto) { return x[0] < 0.5 ? std::nan("") : (x[0] - 0.6) * (x[0] - 0.6); }, 500);
  const auto found = powell(loss, cube(1, 0, 4, 1), {3}, kExact);
  REQUIRE(found.point[0] == Approx(0.6).margin(1e-3));
  Evaluations nowhere([](const Point&, auto) { return std::nan(""); }, 500);
  const auto none = powell(nowhere, cube(2, 0, 4, 1), {3, 2}, {});
  REQUIRE(none.point == Point{3, 2});
  REQUIRE(none.stop == quant::Stop::converged);
}

TEST_CASE("powell: announces the coordinate that a line search changes") {
  std::vector<Call> calls;
  Evaluations loss(recorded(rotated, calls), 2000);
  powell(loss, cube(3, -3, 3, 0.5), {0, 0, 0}, kExact);
  size_t announced = 0;
  REQUIRE_FALSE(calls[0].axis);
  REQUIRE(calls[1].axis == 0);
  for (size_t i = 1; i < calls.size(); ++i) {
    announced += calls[i].axis.has_value();
    if (!calls[i].axis || calls[i].axis != calls[i - 1].axis) continue;
    for (size_t j = 0; j < 3; ++j)
      if (j != *calls[i].axis) REQUIRE(calls[i].point[j] == calls[i - 1].point[j]);
  }
  REQUIRE(announced > 20);
  REQUIRE(announced < calls.size());  // other directions as well
}

TEST_CASE("powell: limits of iterations and evaluations; the best is that of all evaluations") {
  Evaluations two(plain(rosenbrock), 2000);
  const auto found = powell(two, everywhere(2, 0.5), {-1.2, 1}, {.max_iterations = 2, .tolerance = 0});
  REQUIRE(found.iterations == 2);
  REQUIRE(stop_text(found, two) == "stopped at its limit of 2 iterations");
  Evaluations few(plain(rosenbrock), 17);
  const auto cut = powell(few, everywhere(2, 0.5), {-1.2, 1}, kExact);
  REQUIRE(few.count() == 17);
  REQUIRE(stop_text(cut, few) == "stopped at its limit of 17 evaluations");
  REQUIRE(cut.loss == few.best().loss);
  REQUIRE(rosenbrock(few.best().point) == few.best().loss);
}

TEST_CASE("powell: an interrupted search goes on with the same bits") {
  require_resumable(rosenbrock, 2000, [](Evaluations& loss) {
    return powell(loss, everywhere(3, 0.5), {-1.2, 1, 0.3}, kExact);
  });
  require_resumable(rotated, 40, [](Evaluations& loss) {
    return powell(loss, cube(3, -3, 3, 0.5), {0, 0, 0}, kExact);
  });
}

TEST_CASE("powell: a saved search may be given more evaluations") {
  const auto search = [](Evaluations& loss) { return powell(loss, everywhere(2, 0.5), {-1.2, 1}, kExact); };
  Evaluations few(plain(rosenbrock), 30), more(plain(rosenbrock), 500), all(plain(rosenbrock), 500);
  search(few);
  more.load(few.save());
  search(more);
  search(all);
  REQUIRE(more.save() == all.save());
  Evaluations other(plain(rosenbrock), 500);
  other.load(few.save());
  require_error(
      [&] {
        powell(other, everywhere(2, 0.25), {-1.2, 1}, kExact);
      },
      "the saved search took other points than this one");
}

TEST_CASE("powell: options out of range") {
  Evaluations loss(plain(beale), 100);
  const auto region = cube(2, -1, 1, 0.1);
  require_error([&] { powell(loss, region, {0, 0}, {.max_iterations = 0}); }, "needs one iteration at least, not 0");
  require_error(
      [&] {
        powell(loss, region, {0, 0}, {.tolerance = -1});
      },
      "the tolerance is -1; it must not be negative");
  require_error(
      [&] {
        powell(loss, region, {0, 0}, {.line = {.tolerance = 0}});
      },
      "a line search needs a positive tolerance and two evaluations, not 0 and 16");
  require_error([&] { powell(loss, region, {0, 4}, {}); }, "coordinate 1: the start 4 is outside the bounds -1 and 1");
  REQUIRE(loss.count() == 0);
}
