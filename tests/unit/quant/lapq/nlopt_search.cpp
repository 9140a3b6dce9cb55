#include "quant/lapq/nlopt_search.h"

#include "support/check_error.h"
#include "unit/quant/lapq/functions.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;
using quant::Evaluations;
using quant::nlopt_search;

TEST_CASE("nlopt: what is wrong is said") {
  Evaluations loss(plain(rotated), 100);
  const auto region = cube(3, -3, 3, 0.5);
  require_error(
      [&] {
        nlopt_search("cobila", loss, region, {0, 0, 0}, {});
      },
      "unknown search method 'cobila'", "did you mean 'cobyla'?");
  auto line = region;
  line.lower[0] = line.upper[0] = line.lower[2] = line.upper[2] = 0;
  require_error(
      [&] {
        nlopt_search("bobyqa", loss, line, {0, 0, 0}, {});
      },
      "search method 'bobyqa' needs two free coordinates or more, not 1", "use 'cobyla'");
  require_error([&] { nlopt_search("cobyla", loss, region, {0, 0, 4}, {}); }, "coordinate 2: the start 4 is outside");
  require_error(
      [&] {
        nlopt_search("cobyla", loss, region, {0, 0, 0}, {.tolerance = -1});
      },
      "the tolerances are -1 and 0.01; they must not be negative");
  REQUIRE(loss.count() == 0);
}

#ifdef COMPRESS_NLOPT

namespace {

constexpr quant::NloptOptions kFine{.tolerance = 1e-12, .point_tolerance = 1e-6};

}  // namespace

TEST_CASE("nlopt: every method finds the minimum, inside the bounds") {
  for (const auto& method : quant::nlopt_methods()) {
    INFO(method);
    std::vector<Call> calls;
    Evaluations loss(recorded(rotated, calls), 20'000);
    const auto found = nlopt_search(method, loss, cube(3, -3, 3, 0.5), {0, 0, 0}, kFine);
    REQUIRE(found.stop == quant::Stop::converged);
    REQUIRE(found.loss == Approx(2).margin(1e-3));
    REQUIRE(found.loss == loss.best().loss);
    Evaluations cut(recorded(rotated, calls), 20'000);
    const auto bounded = nlopt_search(method, cut, cube(3, -0.75, 1.5, 0.25), {0, 0, 0}, kFine);
    REQUIRE(bounded.loss < rotated({0, 0, 0}));
    for (auto i = static_cast<size_t>(loss.count()); i < calls.size(); ++i)
      for (const double x : calls[i].point) REQUIRE((x >= -0.75 && x <= 1.5));
  }
}

TEST_CASE("nlopt: limits, exceptions and resumption as in every search") {
  for (const auto& method : quant::nlopt_methods()) {
    INFO(method);
    const auto search = [&](Evaluations& loss) {
      return nlopt_search(method, loss, cube(3, -3, 3, 0.5), {0, 0, 0}, kFine);
    };
    Evaluations few(plain(rotated), 9);
    const auto cut = search(few);
    REQUIRE(cut.stop == quant::Stop::evaluations);
    REQUIRE(few.count() == 9);
    REQUIRE(cut.loss == few.best().loss);
    require_resumable(rotated, 60, search);
  }
}

TEST_CASE("nlopt: what NLopt itself refuses is said in its words") {
  Evaluations loss(plain(rotated), 100);
  require_error(
      [&] {
        nlopt_search("bobyqa", loss, cube(3, -0.1, 0.1, 1), {0, 0, 0}, {});
      },
      "NLopt's 'bobyqa' failed: ");
}

TEST_CASE("nlopt: losses that are no numbers") {
  for (const auto& method : quant::nlopt_methods()) {
    INFO(method);
    Evaluations loss([](const Point& x, auto) { return x[0] < 0.5 ? std::nan("") : x[0] * x[0] + x[1] * x[1]; }, 2000);
    const auto found = nlopt_search(method, loss, cube(2, -2, 2, 0.25), {1.5, 1}, {});
    REQUIRE(found.loss < 3.25);
    REQUIRE(found.point[0] >= 0.5);
  }
}

#else

TEST_CASE("nlopt: a program without it says so") {
  Evaluations loss(plain(rotated), 100);
  require_error(
      [&] {
        nlopt_search("cobyla", loss, cube(3, -3, 3, 0.5), {0, 0, 0}, {});
      },
      "search method 'cobyla' needs NLopt, without which this program was built",
      "use 'powell', or install libnlopt-dev and build again");
}

#endif
