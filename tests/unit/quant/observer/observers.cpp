#include "quant/observer/observer.h"
#include "support/check_error.h"
#include "support/tensors.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <memory>

using namespace compress;
using namespace compress::test;
using namespace compress::quant;

namespace {

const ops::GridSpec kSymmetric8{}, kAsymmetric8{.bits = 8, .is_signed = false, .symmetric = false},
    kUnsigned8{.bits = 8, .is_signed = false};

std::unique_ptr<Observer> observer(std::string_view name, const std::string& arguments = "{}") {
  auto made = observers().make(name);
  Settings settings;
  made->declare(settings);
  settings.read(parse_yaml(arguments, "test.yaml"), name);
  return made;
}

/// The arguments that an observer cannot do without.
std::string needed(std::string_view name) {
  return name == "n_std" ? "{n: 2}" : name == "lp_norm" ? "{p: 3}" : "{}";
}

Extremes watched(const Observer& rule, const std::vector<at::Tensor>& batches, const ops::GridSpec& grid) {
  ValueStatistics seen("conv1", rule.needs());
  for (const auto& batch : batches) seen.watch(batch);
  return rule.range(seen, grid);
}

Extremes
answered(std::string_view name, const at::Tensor& value, const ops::GridSpec& grid, const std::string& arguments = {}) {
  return watched(*observer(name, arguments.empty() ? needed(name) : arguments), {value}, grid);
}

void require_range(const Extremes& range, double low, double high, double tolerance = 1e-6) {
  INFO("[" << range.low << ", " << range.high << "]");
  REQUIRE(std::abs(range.low - low) <= tolerance);
  REQUIRE(std::abs(range.high - high) <= tolerance);
}

/// Input of Distiller's own tests.
at::Tensor distiller_input() {
  return at::tensor({-93.0, 33.0,  -77.0, -42.0, -89.0, -55.0, 79.0,  -19.0, -94.0, 69.0,  -46.0, -88.0,
                     19.0,  -43.0, -38.0, 30.0,  -56.0, 87.0,  27.0,  -86.0, 81.0,  -60.0, -19.0, 59.0,
                     58.0,  -47.0, -26.0, 12.0,  -74.0, 83.0,  -83.0, -28.0, 69.0,  63.0,  -95.0, -87.0});
}

/// As in least_errors.py.
at::Tensor laplace(bool one_side) {
  std::vector<double> x;
  for (int i = 0; i < 2000; ++i) {
    const double u = (i + 0.5) / 2000 - 0.5, size = -std::log(1 - 2 * std::abs(u));
    x.push_back(u < 0 ? (one_side ? 0 : -size / 2) : size);
  }
  return at::tensor(x, at::kDouble);
}

/// Mean |x - nearest|^p on the grid of a range, those beyond the grid `gamma` times.
double error_on(const at::Tensor& x, const Extremes& range, const ops::GridSpec& spec, double p, double gamma = 1) {
  const auto grid =
      ops::make_grid(at::scalar_tensor(range.low, at::kDouble), at::scalar_tensor(range.high, at::kDouble), spec);
  const auto back = [&](const at::Tensor& q) { return q.sub(grid.zero_point).mul(grid.scale); };
  const auto error = x.sub(back(ops::quantized(x, grid, spec, -1))).abs().pow(p);
  const auto half = grid.scale.div(2), first = at::scalar_tensor(static_cast<double>(spec.low()), at::kDouble),
             last = at::scalar_tensor(static_cast<double>(spec.high()), at::kDouble);
  const auto beyond = x.lt(back(first).sub(half)).logical_or(x.gt(back(last).add(half)));
  return error.mul(beyond.to(at::kDouble).mul(gamma - 1).add(1)).mean().item<double>();
}

}  // namespace

TEST_CASE("observers: Distiller's numbers for minimum, maximum and their averages over samples") {
  const auto x = distiller_input();
  require_range(answered("min_max", x.view({2, 2, 3, 3}), kAsymmetric8), -95, 87);
  require_range(answered("min_max", x.view({2, 2, 3, 3}), kSymmetric8), -95, 95);
  require_range(answered("min_max", x.view({2, 2, 3, 3}), kUnsigned8), 0, 87);
  require_range(answered("averaged_min_max", x.view({6, 6}), kAsymmetric8), -83, 72);
  require_range(answered("averaged_min_max", x.view({6, 6}), kSymmetric8), -83, 83);
  require_range(answered("averaged_min_max", x.view({2, 2, 3, 3}), kAsymmetric8), -94.5, 85);
  require_range(answered("averaged_min_max", x.view({2, 2, 3, 3}), kSymmetric8), -94.5, 94.5);
  require_range(answered("averaged_min_max", x.view({1, 36}), kAsymmetric8), -95, 87);
}

TEST_CASE("observers: Distiller's numbers for standard deviations around the mean") {
  const auto x = distiller_input().view({6, 6});
  require_range(answered("n_std", x, kAsymmetric8, "{n: 1}"), -78.87447738647461, 46.87447738647461, 1e-5);
  require_range(answered("n_std", x, kSymmetric8, "{n: 1}"), -78.87447738647461, 78.87447738647461, 1e-5);
  require_range(answered("n_std", x, kAsymmetric8, "{n: 2}"), -95, 87);
  require_error([] { observer("n_std", "{n: 0}"); }, "'n'", "above 0");
  require_error([] { observer("n_std"); }, "'n'");
}

TEST_CASE("observers: moving averages are corrected for their start, batch by batch") {
  const auto rule = observer("moving_average", "{decay: 0.5}");
  const auto one = at::tensor({-1.0, 2.0}), two = at::tensor({-4.0, 5.0});
  require_range(watched(*rule, {one}, kAsymmetric8), -1, 2);
  require_range(watched(*rule, {one, two}, kAsymmetric8), (-0.25 - 2) / 0.75, (0.5 + 2.5) / 0.75);
  require_error([] { observer("moving_average", "{decay: 1}"); }, "'decay'", "in [0, 1)");
}

TEST_CASE("observers: a batch in parts counts as one batch") {
  const auto rule = observer("moving_average", "{decay: 0.5}");
  const auto x = wild({6, 5}), y = wild({6, 5}, 2).mul(3);
  ValueStatistics seen("conv1", rule->needs());
  for (const auto& batch : {x, y}) {
    seen.watch_part(batch.narrow(0, 0, 4));
    seen.watch_part(batch.narrow(0, 4, 2));
    seen.end_batch();
    seen.end_batch();  // nothing came in between
  }
  const auto whole = watched(*rule, {x, y}, kAsymmetric8), parts = rule->range(seen, kAsymmetric8);
  REQUIRE(parts.low == whole.low);
  REQUIRE(parts.high == whole.high);
}

TEST_CASE("observers: ACIQ follows Distiller's formulas") {
  const auto x = distiller_input().view({6, 6});
  const double mean = -16, std = 62.87447738647461, b = x.sub(mean).abs().mean().item<double>();
  const double width = 182.0 / 2048;  // of a histogram's bin, at most
  require_range(answered("aciq_gauss", x, {.bits = 4}), -16 - 2.55 * std, 16 + 2.55 * std, 1e-4);
  require_range(answered("aciq_gauss", x, kAsymmetric8), -83, -83 + 2 * 3.92 * std, 1e-3);
  require_range(answered("aciq_gauss", x, {.bits = 2, .is_signed = false, .symmetric = false}), -83,
                -83 + 2 * 1.71 * std, 1e-3);
  require_range(answered("aciq_laplace", x, {.bits = 3}), -16 - 3.89 * b, 16 + 3.89 * b, 4 * width);
  require_range(answered("aciq_laplace", x, kAsymmetric8, "{half_range: true}"), -83, -83 + 11.16 * b, 12 * width);
  require_range(answered("aciq_gauss", x, kAsymmetric8, "{within_observed: true}"), -83, 87);
  const auto positive = x.clamp_min(0);
  const double spread = positive.std().item<double>();
  require_range(answered("aciq_gauss", positive, kAsymmetric8), 0,
                std::max(0.0, positive.mean().item<double>() - 4.2 * spread) +
                    std::max(positive.min().item<double>(), 0.0) + 4.2 * spread,
                1e-3);
}

TEST_CASE("observers: beyond Distiller's 8 bits ACIQ's factor goes on as the optimum does") {
  const auto x = wild({4, 500});
  for (const auto* name : {"aciq_gauss", "aciq_laplace"}) {
    double before = 0;
    for (int bits = 2; bits <= 16; ++bits) {
      const double clip = answered(name, x, {.bits = bits}).high;
      REQUIRE(clip > before);
      before = clip;
    }
  }
  const double eight = answered("aciq_laplace", x, {.bits = 8}).high,
               nine = answered("aciq_laplace", x, {.bits = 9}).high;
  REQUIRE(nine / eight == Approx(11.16 / 9.89).epsilon(0.03));
}

TEST_CASE("observers: a percentile cuts both ends of asymmetric grids and the largest magnitudes of symmetric ones") {
  const auto x = at::arange(-300, 701, at::kDouble);  // 1001 numbers
  require_range(answered("percentile", x, kAsymmetric8, "{percentile: 90}"), -250, 650, 2);
  require_range(answered("percentile", x, kSymmetric8, "{percentile: 90}"), -600, 600, 2);
  require_range(answered("percentile", x, kAsymmetric8, "{percentile: 100}"), -300, 700);
  require_range(answered("percentile", x.clamp_min(0), kAsymmetric8, "{percentile: 90}"), 0, 650, 2);
  require_error([] { observer("percentile", "{percentile: 50}"); }, "'percentile'");
}

namespace {

/// Made by least_errors.py.
struct LeastErrors {
  bool one_side;
  int bits;
  bool symmetric;
  double p2, p3, aimet;
};
const LeastErrors kLeast[] = {
#include "unit/quant/observer/least_errors.inc"
};

}  // namespace

TEST_CASE("observers: mse, lp_norm and sqnr err no more than the best of a fine search on the numbers themselves") {
  for (const auto& least : kLeast) {
    const ops::GridSpec grid{.bits = least.bits, .is_signed = least.symmetric, .symmetric = least.symmetric};
    const auto x = laplace(least.one_side);
    INFO(least.bits << " bits, symmetric " << least.symmetric << ", one side " << least.one_side);
    REQUIRE(error_on(x, answered("mse", x, grid), grid, 2) <= 1.02 * least.p2);
    REQUIRE(error_on(x, answered("lp_norm", x, grid, "{p: 2}"), grid, 2) <= 1.02 * least.p2);
    REQUIRE(error_on(x, answered("lp_norm", x, grid, "{p: 3}"), grid, 3) <= 1.02 * least.p3);
    REQUIRE(error_on(x, answered("sqnr", x, grid), grid, 2, 3) <= 1.02 * least.aimet);
  }
}

TEST_CASE("observers: a larger p keeps more of the outliers, more bits too") {
  const auto x = laplace(false);
  double before = 0;
  for (const auto* p : {"{p: 1}", "{p: 2}", "{p: 2.5}", "{p: 4}", "{p: 8}"}) {
    const double reach = answered("lp_norm", x, {.bits = 4}, p).high;
    REQUIRE(reach > before);
    before = reach;
  }
  for (const auto* name : {"mse", "sqnr", "sawb"})
    REQUIRE(answered(name, x, {.bits = 2}).high < answered(name, x, {.bits = 8}).high);
}

TEST_CASE("observers: SAWB is near the least square error of what it was fitted to") {
  const auto x = at::arange(20000, at::kDouble).add(0.5).div(10000).sub(1);
  const auto gauss = x.erfinv().mul(std::sqrt(2.0));
  for (const int bits : {2, 3, 4}) {
    const ops::GridSpec grid{.bits = bits};
    REQUIRE(error_on(gauss, answered("sawb", gauss, grid), grid, 2) <=
            1.1 * error_on(gauss, answered("mse", gauss, grid), grid, 2));
  }
}

TEST_CASE("observers: entropy keeps the bulk and drops a lone outlier at few bits") {
  const auto x = laplace(false).clone();
  x[0] = 200;
  REQUIRE(answered("entropy", x, {.bits = 4}).high < 50);
  REQUIRE(answered("entropy", x, {.bits = 16}).high == Approx(200).epsilon(0.02));
}

TEST_CASE("observers: what cannot be observed is said with the value's name") {
  for (const auto* entry : observers().entries()) {
    const auto rule = observer(entry->name, needed(entry->name));
    for (const double wrong : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      const auto x = wild({3, 5});
      x[1][4] = wrong;
      require_error(
          [&] {
            watched(*rule, {wild({2, 5}), x}, kSymmetric8);
          },
          "value 'conv1' is not finite during calibration: sample 3 holds NaN or infinity");
    }
    require_error([&] { watched(*rule, {}, kSymmetric8); },
                  "value 'conv1' was not observed: calibration got no sample");
    require_error(
        [&] {
          watched(*rule, {at::zeros({0, 4})}, kSymmetric8);
        },
        "value 'conv1' holds no numbers during calibration: its shape is [0, 4]");
  }
}

TEST_CASE("observers: constant values, zeros and single numbers have a range") {
  for (const auto* entry : observers().entries()) {
    INFO(entry->name);
    for (const auto& grid :
         {kSymmetric8, kAsymmetric8, kUnsigned8, ops::GridSpec{.bits = 2}, ops::GridSpec{.bits = 16}}) {
      require_range(answered(entry->name, at::zeros({4, 3}), grid), 0, 0);
      for (const double c : {3.0, 1e-30, 1e30}) {
        const auto range = answered(entry->name, at::full({4, 3}, c), grid);
        REQUIRE(range.high > 0.5 * c);
        REQUIRE(range.high < 1.5 * c);
      }
      const auto negative = answered(entry->name, at::full({}, -2.0), grid);
      REQUIRE(std::isfinite(negative.low));
      REQUIRE(negative.low <= (grid.symmetric && !grid.is_signed ? 0 : -1));
    }
  }
}
