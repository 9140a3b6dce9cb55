#include "quant/statistics/histogram.h"

#include "ops/parallel.h"
#include "ops/vectorised.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace compress::quant {

namespace {

constexpr size_t kBlock = 512;
/// What one task counts; counters of 32 bits cannot overflow within it.
constexpr size_t kPiece = size_t{1} << 15;

int64_t bin_of(double x, int exponent) {
  return static_cast<int64_t>(std::floor(std::ldexp(x, -exponent)));
}

/// The least width with which [low, high] needs no more than kBins bins; not so small that its reciprocal overflows.
int exponent_for(double low, double high) {
  int exponent = std::max(std::ilogb(std::max({-low, high, 1e-37})) - 13, -120);
  while (bin_of(high, exponent) - bin_of(low, exponent) >= Histogram::kBins) ++exponent;
  return exponent;
}

/// Exact zeros are many and come in runs, and a counter that was just written is read back slowly: they take turns on
/// so many counters behind the bins, which nobody reads.
constexpr size_t kZeroCounters = 16;

/// Index of the counter of each number of a block, the bins' first.
COMPRESS_VECTORISED
void find_counters(const float* numbers, size_t n, float inverse, int32_t first, int32_t bins, int32_t* counters) {
  for (size_t i = 0; i < n; ++i) {
    const float scaled = numbers[i] * inverse;
    const auto towards_zero = static_cast<int32_t>(scaled);
    const int32_t bin = towards_zero - (scaled < static_cast<float>(towards_zero) ? 1 : 0) - first;
    const int32_t zero = bins + static_cast<int32_t>(i % kZeroCounters);
    const int32_t is_zero = numbers[i] == 0 ? -1 : 0;  // as a mask: a choice between two would become a branch
    counters[i] = bin + ((zero - bin) & is_zero);
  }
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

void Histogram::clip(double low, double high) {
  const auto zero = -first_;
  const auto move_to = [&](int64_t from, int64_t target, bool to_zero) {
    auto& numbers = counts_[static_cast<size_t>(from)];
    if (from == target && !to_zero) return;
    (to_zero ? zeros_ : counts_[static_cast<size_t>(target)]) += numbers;
    numbers = 0;
  };
  for (int64_t i = 0; i < bins(); ++i) {
    if (i >= zero && edge(i) >= high) move_to(i, std::min(bin_of(high, exponent_) - first_, i), high == 0);
    if (i < zero && edge(i + 1) <= low) move_to(i, std::max(bin_of(low, exponent_) - first_, i), low == 0);
  }
}

std::vector<uint32_t> Histogram::count_piece(std::span<const float> numbers) const {
  std::vector<uint32_t> counts(counts_.size() + kZeroCounters);
  std::array<int32_t, kBlock> counters{};
  const auto inverse = static_cast<float>(std::ldexp(1.0, -exponent_));
  for (size_t start = 0; start < numbers.size(); start += kBlock) {
    const size_t n = std::min(kBlock, numbers.size() - start);
    find_counters(numbers.data() + start, n, inverse, static_cast<int32_t>(first_), static_cast<int32_t>(bins()),
                  counters.data());
#pragma GCC unroll 8
    for (size_t i = 0; i < n; ++i) ++counts[static_cast<size_t>(counters[i])];
  }
  return counts;
}

void Histogram::add(std::span<const float> numbers) {
  const size_t pieces = (numbers.size() + kPiece - 1) / kPiece;
  std::vector<std::vector<uint32_t>> counts(pieces);
  ops::run_tasks(static_cast<int64_t>(pieces), [&](int64_t task) {
    const auto start = static_cast<size_t>(task) * kPiece;
    counts[static_cast<size_t>(task)] = count_piece(numbers.subspan(start, std::min(kPiece, numbers.size() - start)));
  });
  int64_t counted = 0;
  for (const auto& piece : counts)
    for (size_t i = 0; i < counts_.size(); ++i) {
      counts_[i] += piece[i];
      counted += piece[i];
    }
  zeros_ += static_cast<int64_t>(numbers.size()) - counted;
  total_ += static_cast<int64_t>(numbers.size());
}

}  // namespace compress::quant
