#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace compress::quant {

/// Counts numbers in bins of one width, a power of two; bin k holds [k * width, (k + 1) * width). When numbers fall
/// outside, the width doubles and bins merge in pairs, so no count is ever split: the histogram is a function of the
/// numbers alone, not of their order or of the batches in which they came. Memory does not depend on their number.
class Histogram {
public:
  /// At least half as many bins cover the span of numbers and 0.
  static constexpr int64_t kBins = 4096;

  /// Makes room for the numbers of [low, high], both finite.
  void cover(double low, double high);
  /// Counts numbers that lie in what is covered.
  void add(std::span<const float> numbers);
  /// Moves what lies outside of [low, high] (which holds 0) into the outermost bins inside; what is cut to 0 counts as
  /// zeros.
  void clip(double low, double high);

  double width() const;
  /// Number of bins; 0 before `cover`.
  int64_t bins() const { return static_cast<int64_t>(counts_.size()); }
  /// Lower edge of the i-th bin, at most 0 for the first; edge(bins()) is where the last one ends.
  double edge(int64_t i) const { return width() * static_cast<double>(first_ + i); }
  double centre(int64_t i) const { return width() * (static_cast<double>(first_ + i) + 0.5); }
  /// Numbers in the i-th bin, exact zeros left out.
  int64_t count(int64_t i) const { return counts_[static_cast<size_t>(i)]; }
  /// How many numbers were exactly 0. They cost nothing on any grid, since 0 is on every grid.
  int64_t zeros() const { return zeros_; }
  /// All numbers, zeros too.
  int64_t total() const { return total_; }

private:
  /// How many numbers fall in each bin, zeros left out; counters of zeros follow.
  std::vector<uint32_t> count_piece(std::span<const float> numbers) const;
  void rebuild(int exponent, int64_t first, int64_t last);

  int exponent_ = 0;   ///< width = 2^exponent
  int64_t first_ = 0;  ///< k of the first bin
  std::vector<int64_t> counts_;
  int64_t zeros_ = 0, total_ = 0;
};

}  // namespace compress::quant
