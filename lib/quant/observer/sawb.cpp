#include "quant/observer/observer.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace compress::quant {

namespace {

/// Statistics-aware weight binning (Choi et al. 2018): clip = c1 * sqrt(E[x^2]) - c2 * E|x|. The paper's coefficients
/// are for grids without 0; these are fitted in the paper's way, over six distributions, for ours
/// (tests/unit/quant/observer/sawb_coefficients.py). Exact zeros are left out, since they say nothing about the shape
/// of the rest. A value without negative numbers fills the grid with one side only, as if it had one bit more.
class SawbObserver final : public Observer {
public:
  StatisticsNeeds needs() const override { return {.histogram = true}; }

private:
  struct Coefficients {
    double c1, c2;
  };
  /// Of 2 to 17 bits.
  static constexpr std::array<Coefficients, 16> kTable{{{3.606, 2.549},
                                                        {7.344, 6.608},
                                                        {11.973, 11.952},
                                                        {16.985, 17.837},
                                                        {22.222, 24.032},
                                                        {27.575, 30.390},
                                                        {32.992, 36.837},
                                                        {38.891, 43.883},
                                                        {44.183, 50.191},
                                                        {49.848, 56.961},
                                                        {55.560, 63.790},
                                                        {61.311, 70.669},
                                                        {67.096, 77.592},
                                                        {72.909, 84.552},
                                                        {78.748, 91.545},
                                                        {84.610, 98.566}}};

  bool integers_only() const override { return true; }
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec& grid) const override {
    const auto& histogram = seen.histogram();
    double squares = 0, magnitudes = 0, numbers = 0;
    for (int64_t i = 0; i < histogram.bins(); ++i) {
      const double x = histogram.centre(i), n = static_cast<double>(histogram.count(i));
      squares += n * x * x;
      magnitudes += n * std::abs(x);
      numbers += n;
    }
    if (numbers == 0) return {0, 0};
    const double mean = magnitudes / numbers;
    const auto [c1, c2] = kTable[static_cast<size_t>(grid.bits - 2 + (one_sided(seen, grid) ? 1 : 0))];
    // Numbers of nearly one magnitude are none of the six distributions: the fit would clip them all.
    const double clip = std::max(c1 * std::sqrt(squares / numbers) - c2 * mean, mean);
    const auto all = seen.extremes();
    return {std::max(all.low, -clip), std::min(all.high, clip)};
  }
};

}  // namespace

extern const Entry<Observer> sawb_observer;
const Entry<Observer> sawb_observer{"sawb",
                                    "clip from the second and the first absolute moment (SAWB), meant for few bits",
                                    make_component<Observer, SawbObserver>};

}  // namespace compress::quant
