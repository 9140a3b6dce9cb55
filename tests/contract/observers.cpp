#include "quant/observer/observer.h"
#include "support/tensors.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

// What holds for every observer. The examples below must cover every entry.

namespace compress::quant::test {

using compress::test::wild;

namespace {

struct Example {
  std::string name, arguments;
};
const Example kObservers[] = {
    {"aciq_gauss", "{}"},
    {"aciq_gauss", "{half_range: true, within_observed: true}"},
    {"aciq_laplace", "{half_range: false}"},
    {"aciq_laplace", "{within_observed: true}"},
    {"averaged_min_max", "{}"},
    {"entropy", "{}"},
    {"lp_norm", "{p: 2}"},
    {"lp_norm", "{p: 2.5}"},
    {"min_max", "{}"},
    {"moving_average", "{decay: 0.9}"},
    {"mse", "{}"},
    {"n_std", "{n: 2.5}"},
    {"percentile", "{percentile: 99}"},
    {"sawb", "{}"},
    {"sqnr", "{gamma: 2}"},
};

std::unique_ptr<Observer> made(const Example& example) {
  auto rule = observers().make(example.name);
  Settings settings;
  rule->declare(settings);
  settings.read(parse_yaml(example.arguments, "example.yaml"), example.name);
  return rule;
}

std::string printed(Observer& rule) {
  Settings settings;
  rule.declare(settings);
  return to_text(settings.print());
}

Extremes seen_in(const Observer& rule, const at::Tensor& value, int64_t batch, const ops::GridSpec& grid) {
  ValueStatistics seen("value", rule.needs());
  for (int64_t at = 0; at < value.size(0); at += batch)
    seen.watch(value.narrow(0, at, std::min(batch, value.size(0) - at)));
  return rule.range(seen, grid);
}

std::vector<ops::GridSpec> grids() {
  std::vector<ops::GridSpec> all;
  for (const int bits : {2, 3, 4, 8, 16})
    for (const bool is_signed : {false, true})
      for (const bool symmetric : {false, true})
        all.push_back({.bits = bits, .is_signed = is_signed, .narrow = bits == 3, .symmetric = symmetric});
  return all;
}

}  // namespace

TEST_CASE("observers: the examples cover every entry, and options survive print and read", "[contract]") {
  std::set<std::string, std::less<>> covered;
  for (const auto& example : kObservers) {
    covered.insert(example.name);
    const auto rule = made(example);
    const auto text = printed(*rule);
    INFO(example.name << ": " << text);
    REQUIRE(printed(*made({example.name, text})) == text);
  }
  for (const auto* entry : observers().entries()) REQUIRE(covered.count(entry->name) == 1);
}

TEST_CASE("observers: the range lies within what was observed and has the grid's form", "[contract]") {
  int shape = 0;
  for (const Shape& sizes : {Shape{7, 33}, Shape{4, 3, 5, 6}, Shape{11}})
    for (const auto& value : {wild(sizes, ++shape), wild(sizes, shape).pow(3).add(0.2), wild(sizes, shape).abs()})
      for (const auto& example : kObservers)
        for (const auto& grid : grids()) {
          if (sizes.size() == 1 && grid.bits != 4) continue;
          const auto range = seen_in(*made(example), value, 3, grid);
          const double low = std::min(value.min().item<double>(), 0.0),
                       high = std::max(value.max().item<double>(), 0.0);
          const double reach = grid.symmetric && grid.is_signed ? std::max(-low, high) : 0;
          INFO(example.name << " " << example.arguments << ", " << grid.bits << " bits: " << range.low << " "
                            << range.high);
          REQUIRE(range.low <= 0);
          REQUIRE(range.high >= 0);
          REQUIRE(std::isfinite(range.high - range.low));
          if (grid.symmetric) REQUIRE(range.low == (grid.is_signed ? -range.high : 0));
          const bool beyond =
              example.name.starts_with("aciq") && example.arguments.find("observed") == std::string::npos;
          if (beyond) continue;
          const double step = example.name == "sqnr" ? (high - low) / static_cast<double>(grid.high() - grid.low()) : 0,
                       slack = 1e-6 + step;
          REQUIRE(range.low >= std::min(low, -reach) - slack);
          REQUIRE(range.high <= std::max(high, reach) + slack);
        }
}

TEST_CASE("observers: values of one number, of hardly any size, of any size, of integers have ranges too",
          "[contract]") {
  const auto spread = wild({4, 25});
  const std::pair<const char*, at::Tensor> values[] = {{"zeros", at::zeros({4, 6})},
                                                       {"one number", at::full({1}, -0.7)},
                                                       {"a scalar", at::full({}, 5.0)},
                                                       {"constant", at::full({4, 6}, 3.0)},
                                                       {"constant below 0", at::full({4, 6}, -3.0)},
                                                       {"two numbers", at::tensor({-1.0, 2.0})},
                                                       {"denormal", spread.mul(1e-40)},
                                                       {"least number", at::full({3}, 1.4e-45)},
                                                       {"small beside zeros", spread.mul(1e-30).clamp_min(0)},
                                                       {"huge", spread.mul(1e30)},
                                                       {"as huge as can be", spread.mul(3e38).div(spread.abs().max())},
                                                       {"one outlier", at::cat({spread.view(-1), at::full({1}, 1e30)})},
                                                       {"integers", at::arange(-7, 29, at::kLong).view({6, 6})},
                                                       {"bytes", at::arange(0, 256, at::kLong).to(at::kByte)}};
  for (const auto& [what, value] : values)
    for (const auto& example : kObservers)
      for (const auto& grid : grids()) {
        INFO(example.name << " " << example.arguments << " of " << what << ", " << grid.bits << " bits, signed "
                          << grid.is_signed << ", symmetric " << grid.symmetric);
        const auto range = seen_in(*made(example), value.dim() == 0 ? value.view({1}) : value, 3, grid);
        const auto numbers = value.to(at::kFloat).to(at::kDouble);  // as they are watched
        const auto all = fitted({numbers.min().item<double>(), numbers.max().item<double>()}, grid);
        INFO("[" << range.low << ", " << range.high << "] of [" << all.low << ", " << all.high << "]");
        REQUIRE(std::isfinite(range.low));
        REQUIRE(std::isfinite(range.high));
        REQUIRE(range.low <= 0);
        REQUIRE(range.high >= 0);
        if (all.low < all.high) REQUIRE(range.low < range.high);
        const auto made_of =
            ops::make_grid(at::scalar_tensor(range.low, at::kDouble), at::scalar_tensor(range.high, at::kDouble), grid);
        REQUIRE(std::isfinite(made_of.scale.item<double>()));
        REQUIRE(made_of.scale.item<double>() > 0);
        if (example.name.starts_with("aciq") && example.arguments.find("observed") == std::string::npos) continue;
        if (all.low == all.high) REQUIRE(range.low == range.high);
        const double width = all.high - all.low;
        const double step = example.name == "sqnr" ? width / static_cast<double>(grid.high() - grid.low()) : 0;
        REQUIRE(range.low >= all.low - step - 1e-6 * width);
        REQUIRE(range.high <= all.high + step + 1e-6 * width);
      }
}

TEST_CASE("observers: batches of any size give the same bits, moving averages apart", "[contract]") {
  const auto value = wild({13, 3, 4, 5}).pow(3);
  for (const auto& example : kObservers) {
    if (example.name == "moving_average") continue;
    const auto rule = made(example);
    const auto whole = seen_in(*rule, value, 13, {.bits = 4, .symmetric = false});
    for (const int64_t batch : {1, 2, 5}) {
      const auto parts = seen_in(*rule, value, batch, {.bits = 4, .symmetric = false});
      INFO(example.name);
      REQUIRE(parts.low == whole.low);
      REQUIRE(parts.high == whole.high);
    }
  }
}

TEST_CASE("observers: the order of samples does not matter, nor does one pass for all, moving averages apart",
          "[contract]") {
  const auto value = wild({13, 3, 4, 5}).pow(5), turned = value.flip(0);
  StatisticsNeeds all;
  for (const auto& example : kObservers) all |= made(example)->needs();
  ValueStatistics together("value", all);
  together.watch(turned);
  for (const auto& example : kObservers) {
    if (example.name == "moving_average") continue;
    const auto rule = made(example);
    const ops::GridSpec grid{.bits = 4, .symmetric = false};
    const auto one = seen_in(*rule, value, 2, grid), other = rule->range(together, grid);
    INFO(example.name);
    REQUIRE(one.low == Approx(other.low).epsilon(1e-9).margin(1e-12));
    REQUIRE(one.high == Approx(other.high).epsilon(1e-9));
  }
}

}  // namespace compress::quant::test
