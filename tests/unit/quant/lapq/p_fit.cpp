#include "quant/lapq/p_fit.h"

#include "core/random.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <functional>
#include <limits>

using namespace compress;
using quant::fit_p;
using quant::sampled_p;
using test::require_error;

namespace {

quant::ChosenP p_of(const std::function<double(double)>& loss) {
  const auto p = sampled_p();
  std::vector<double> losses;
  for (const double each : p) losses.push_back(loss(each));
  return fit_p(p, losses);
}

}  // namespace

TEST_CASE("p-fit: ten equally spaced values of [2, 4]") {
  const auto p = sampled_p();
  REQUIRE(p.size() == 10);
  REQUIRE(p.front() == 2);
  REQUIRE(p.back() == 4);
  REQUIRE(p[1] == Approx(2 + 2.0 / 9));
  require_error([] { sampled_p(2); }, "2 values of p in [2, 4] cannot be fitted", "three values or more");
  require_error([] { sampled_p(5, 4, 2); }, "5 values of p in [4, 2] cannot be fitted");
  require_error([] { sampled_p(5, 0, 2); }, "in a range above 0");
}

TEST_CASE("p-fit: the vertex of a parabola that opens upwards") {
  const auto chosen = p_of([](double p) { return 1.7 + 0.3 * (p - 2.8) * (p - 2.8); });
  REQUIRE(chosen.fitted);
  REQUIRE(chosen.p == Approx(2.8).epsilon(1e-12));
  REQUIRE(chosen.reason == "p = 2.8 is the vertex of the parabola through 10 losses");
}

TEST_CASE("p-fit: the least squares of uneven, noisy losses (numpy.polyfit)") {
  const double p[] = {2, 2.1, 2.7, 3.3, 4}, losses[] = {3.0, 2.6, 2.2, 2.5, 3.9};
  const auto chosen = fit_p(p, losses);
  REQUIRE(chosen.fitted);
  REQUIRE(chosen.p == Approx(2.783882943571).epsilon(1e-10));
}

TEST_CASE("p-fit: the best that was tried, where the parabola has no minimum between the samples") {
  const auto concave = p_of([](double p) { return 5 - (p - 2.8) * (p - 2.8); });
  REQUIRE_FALSE(concave.fitted);
  REQUIRE(concave.p == 4);
  REQUIRE(concave.reason ==
          "the parabola through the losses opens downwards; p = 4 has the least loss of those that were tried");
  const auto outside = p_of([](double p) { return (p - 5) * (p - 5); });
  REQUIRE(outside.p == 4);
  REQUIRE(outside.reason ==
          "the parabola's vertex p = 5 is outside of 2 to 4; p = 4 has the least loss of those that were tried");
  const auto flat = p_of([](double) { return 2.5; });
  REQUIRE(flat.p == 2);
  REQUIRE(flat.reason == "the losses lie on a straight line; p = 2 has the least loss of those that were tried");
  REQUIRE(p_of([](double p) { return p; }).reason.starts_with("the losses lie on a straight line"));
  REQUIRE(p_of([](double) { return 0.0; }).p == 2);
}

TEST_CASE("p-fit: losses that are not finite are left out") {
  const auto nan = std::nan("");
  const auto chosen = p_of([&](double p) { return p > 3.5 ? nan : 1 + (p - 2.5) * (p - 2.5); });
  REQUIRE(chosen.p == Approx(2.5));
  REQUIRE(chosen.reason == "p = 2.5 is the vertex of the parabola through 7 losses");
  const double p[] = {2, 3, 4}, two[] = {1, nan, 0.5}, none[] = {nan, nan, std::numeric_limits<double>::infinity()};
  REQUIRE(fit_p(p, two).reason == "only 2 of 3 losses are finite; p = 4 has the least loss of those that were tried");
  require_error([&] { fit_p(p, none); }, "the loss is not finite at any of the 3 values of p");
}

TEST_CASE("p-fit: wrong samples are refused") {
  const double p[] = {2, 3, 3}, losses[] = {1, 2, 3};
  require_error([&] { fit_p(p, std::span(losses, 2)); }, "3 values of p have 2 losses");
  require_error([&] { fit_p(p, losses); }, "p = 3 has two losses");
}
