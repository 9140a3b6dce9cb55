#include "quant/histogram.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace compress::quant {

namespace {

/// Neighbouring numbers often fall in one bin, and a counter that was just written is read back slowly: each bin has a
/// few counters in turn.
constexpr int64_t kCounters = 4;
constexpr size_t kBlock = 512;
/// Counters of 32 bits cannot overflow within one piece.
constexpr size_t kPiece = size_t{1} << 30;

int64_t bin_of(double x, int exponent) {
  return static_cast<int64_t>(std::floor(std::ldexp(x, -exponent)));
}

/// The least width with which [low, high] needs no more than kBins bins; not so small that its reciprocal overflows.
int exponent_for(double low, double high) {
  int exponent = std::max(std::ilogb(std::max({-low, high, 1e-37})) - 13, -120);
  while (bin_of(high, exponent) - bin_of(low, exponent) >= Histogram::kBins) ++exponent;
  return exponent;
}

/// Index of the bin of each number of a block; returns how many are 0.
int32_t find_bins(const float* numbers, size_t n, float inverse, int32_t first, int32_t* bins) {
  int32_t zeros = 0;
  for (size_t i = 0; i < n; ++i) {
    const float scaled = numbers[i] * inverse;
    const auto towards_zero = static_cast<int32_t>(scaled);
    bins[i] = towards_zero - (scaled < static_cast<float>(towards_zero) ? 1 : 0) - first;
    zeros += numbers[i] == 0 ? 1 : 0;
  }
  return zeros;
}

}  // namespace

double Histogram::width() const {
  return std::ldexp(1.0, exponent_);
}

void Histogram::cover(double low, double high) {
  low = std::min(low, 0.0), high = std::max(high, 0.0);
  if (!counts_.empty()) {
    if (low >= edge(0) && high < edge(bins())) return;
    low = std::min(low, edge(0)), high = std::max(high, edge(bins() - 1));
  }
  const int wanted = exponent_for(low, high), exponent = counts_.empty() ? wanted : std::max(wanted, exponent_);
  rebuild(exponent, bin_of(low, exponent), bin_of(high, exponent));
}

void Histogram::rebuild(int exponent, int64_t first, int64_t last) {
  std::vector<int64_t> counts(static_cast<size_t>(last - first + 1));
  const int shift = exponent - exponent_;
  for (int64_t i = 0; i < bins(); ++i)
    if (const int64_t n = count(i)) counts[static_cast<size_t>(((first_ + i) >> std::min(shift, 62)) - first)] += n;
  exponent_ = exponent, first_ = first;
  counts_ = std::move(counts);
}

void Histogram::add(std::span<const float> numbers) {
  while (numbers.size() > kPiece) {
    add(numbers.first(kPiece));
    numbers = numbers.subspan(kPiece);
  }
  std::vector<uint32_t> counters(counts_.size() * kCounters);
  std::array<int32_t, kBlock> bins{};
  const auto inverse = static_cast<float>(std::ldexp(1.0, -exponent_));
  int64_t zeros = 0;
  for (size_t start = 0; start < numbers.size(); start += kBlock) {
    const size_t n = std::min(kBlock, numbers.size() - start);
    zeros += find_bins(numbers.data() + start, n, inverse, static_cast<int32_t>(first_), bins.data());
    for (size_t i = 0; i < n; ++i) ++counters[static_cast<size_t>(bins[i]) * kCounters + i % kCounters];
  }
  for (size_t i = 0; i < counts_.size(); ++i)
    for (int64_t j = 0; j < kCounters; ++j) counts_[i] += counters[i * kCounters + static_cast<size_t>(j)];
  counts_[static_cast<size_t>(-first_)] -= zeros;
  zeros_ += zeros;
  total_ += static_cast<int64_t>(numbers.size());
}

}  // namespace compress::quant
