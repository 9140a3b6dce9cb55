#include "quant/statistics/range_search.h"

#include "ops/grid_format.h"
#include "quant/observer/observer.h"
#include "support/check_error.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace compress;
using namespace compress::quant;
using namespace compress::test;

namespace {

std::vector<ops::GridSpec> specs_of_all_formats() {
  std::vector<ops::GridSpec> specs{{.bits = 4}, {.bits = 4, .is_signed = false, .symmetric = false}};
  for (const auto symmetric : {true, false})
    specs.push_back({.bits = 5, .symmetric = symmetric, .scale_rule = ops::ScaleRule::power_of_two});
  for (const auto& [word, format] : ops::grid_formats())
    if (format != ops::GridFormat::integer)
      specs.push_back({.bits = format == ops::GridFormat::gfpq ? 8 : ops::implied_bits(format), .format = format});
  specs.push_back({.bits = 16, .format = ops::GridFormat::gfpq});
  return specs;
}

ValueStatistics seen_by(const Observer& observer, const at::Tensor& x) {
  ValueStatistics seen("x", observer.needs());
  seen.watch(x.reshape({1, -1}).to(at::kFloat));
  return seen;
}

double square_error(const at::Tensor& x, const Extremes& range, const ops::GridSpec& spec) {
  const auto grid = ops::make_grid(numbers({range.low}), numbers({range.high}), spec);
  return ops::fake_quantize(x, grid, spec, -1).sub(x).square().sum().item<double>();
}

}  // namespace

TEST_CASE("range search: a grid in plain numbers rounds as one of tensors, in every format") {
  const auto x = wild({400}).pow(3).mul(4);
  for (const auto& spec : specs_of_all_formats()) {
    INFO(ops::word_of(spec.format) << ", " << spec.bits << " bits");
    const PlainGrid plain({-2.7, 3.1}, spec);
    const auto grid = ops::make_grid(numbers({-2.7}), numbers({3.1}), spec);
    REQUIRE(plain.scale == grid.scale.item<double>());
    const auto expected = ops::fake_quantize(x, grid, spec, -1);
    for (int64_t i = 0; i < x.numel(); ++i)
      REQUIRE(plain.nearest(x[i].item<double>()) == Approx(expected[i].item<double>()).epsilon(1e-12).margin(1e-300));
    REQUIRE(plain.nearest(0) == 0);
  }
}

TEST_CASE("range search: mse never errs more than the extremes, in every format") {
  const auto x = at::arange(1, 2001, at::kDouble).div(2001).log().neg();
  const auto observer = observers().make("mse");
  const auto seen = seen_by(*observer, x);
  for (const auto& spec : specs_of_all_formats()) {
    INFO(ops::word_of(spec.format) << ", " << spec.bits << " bits");
    const double best = square_error(x, observer->range(seen, spec), spec);
    REQUIRE(best <= 1.001 * square_error(x, seen.extremes(), spec));
  }
}

TEST_CASE("range search: observers of integers refuse other formats") {
  const ops::GridSpec half{.bits = 16, .format = ops::GridFormat::float16};
  for (const auto* name : {"entropy", "sqnr", "sawb", "aciq_gauss", "aciq_laplace"}) {
    const auto observer = observers().make(name);
    const auto seen = seen_by(*observer, wild({50}));
    require_error([&] { observer->range(seen, half); }, "chooses ranges of integers, but the format is 'float16'",
                  "min_max");
  }
  for (const auto* name : {"min_max", "percentile", "n_std", "lp_norm"}) {
    const auto observer = observers().make(name);
    REQUIRE(observer->range(seen_by(*observer, wild({50})), half).high > 0);
  }
}
