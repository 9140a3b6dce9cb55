#include "quant/statistics/histogram.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

using namespace compress;

namespace {

void count(quant::Histogram& histogram, std::vector<float> numbers) {
  const auto [low, high] = std::ranges::minmax(numbers);
  histogram.cover(low, high);
  histogram.add(numbers);
}

/// Numbers of very different sizes, so that the bins must widen many times.
std::vector<float> irregular(int n) {
  std::vector<float> numbers;
  for (int i = 0; i < n; ++i) {
    const double size = std::sin(i * 12.9898) * std::exp(12 * std::sin(i * 0.37));
    numbers.push_back(i % 7 == 0 ? 0 : static_cast<float>(size));
  }
  return numbers;
}

void require_same(const quant::Histogram& one, const quant::Histogram& other) {
  REQUIRE(one.bins() == other.bins());
  REQUIRE(one.width() == other.width());
  REQUIRE(one.edge(0) == other.edge(0));
  REQUIRE(one.zeros() == other.zeros());
  for (int64_t i = 0; i < one.bins(); ++i) REQUIRE(one.count(i) == other.count(i));
}

}  // namespace

TEST_CASE("histogram: each number is counted in the bin that holds it, zeros apart") {
  quant::Histogram histogram;
  count(histogram, {-1, -0.25F, -1e-7F, 0, 0, 1e-7F, 0.5F, 0.75F, 1});
  REQUIRE(histogram.total() == 9);
  REQUIRE(histogram.zeros() == 2);
  const auto at = [&](double x) {
    return histogram.count(static_cast<int64_t>(std::floor((x - histogram.edge(0)) / histogram.width())));
  };
  for (const double x : {-1.0, -0.25, -1e-7, 1e-7, 0.5, 0.75, 1.0}) REQUIRE(at(x) == 1);
  REQUIRE(at(0.1) == 0);
}

TEST_CASE("histogram: neither order nor batches change a count, and growing loses none") {
  const auto numbers = irregular(3001);
  quant::Histogram whole, single, turned;
  count(whole, numbers);
  for (const float x : numbers) count(single, {x});
  for (auto i = numbers.rbegin(); i != numbers.rend(); ++i) count(turned, {*i});
  require_same(whole, single);
  require_same(whole, turned);
  int64_t sum = whole.zeros();
  for (int64_t i = 0; i < whole.bins(); ++i) sum += whole.count(i);
  REQUIRE(sum == 3001);
}

TEST_CASE("histogram: its memory is bounded, whatever the numbers") {
  quant::Histogram histogram;
  for (int i = -140; i < 128; ++i) {
    count(histogram, {static_cast<float>(std::ldexp(1.9, i)), static_cast<float>(-std::ldexp(1.9, i - 3))});
    REQUIRE(histogram.bins() <= quant::Histogram::kBins);
  }
  REQUIRE(histogram.total() == 2 * 268);
  REQUIRE(histogram.bins() >= quant::Histogram::kBins / 2);
}
