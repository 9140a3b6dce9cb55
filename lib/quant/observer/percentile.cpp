#include "quant/observer/observer.h"

#include <algorithm>
#include <cmath>

namespace compress::quant {

namespace {

class PercentileObserver final : public Observer {
public:
  void declare(Settings& settings) override {
    settings.optional(
        "percentile", percentile_,
        "how much of all numbers stays in the range, in percent; on asymmetric grids either end loses half "
        "of the rest, on symmetric ones the largest magnitudes go",
        {.low = 50, .high = 100, .open_low = true});
  }
  StatisticsNeeds needs() const override { return {.histogram = true}; }

private:
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec& grid) const override {
    const auto& histogram = seen.histogram();
    const double lost = static_cast<double>(histogram.total()) * (1 - percentile_ / 100);
    const auto all = seen.extremes();
    if (grid.symmetric) {
      const double reach = magnitude(histogram, lost);
      return {std::max(all.low, -reach), std::min(all.high, reach)};
    }
    return {std::max(all.low, lower(histogram, lost / 2)), std::min(all.high, upper(histogram, lost / 2))};
  }

  /// The bin of [0, width) also holds the exact zeros.
  static int64_t numbers(const Histogram& histogram, int64_t i) {
    return histogram.count(i) + (histogram.edge(i) == 0 ? histogram.zeros() : 0);
  }
  /// The furthest edges beyond which there are at most `lost` numbers.
  static double lower(const Histogram& histogram, double lost) {
    int64_t i = 0, below = 0;
    while (i < histogram.bins() && static_cast<double>(below + numbers(histogram, i)) <= lost)
      below += numbers(histogram, i++);
    return histogram.edge(i);
  }
  static double upper(const Histogram& histogram, double lost) {
    int64_t i = histogram.bins(), above = 0;
    while (i > 0 && static_cast<double>(above + numbers(histogram, i - 1)) <= lost) above += numbers(histogram, --i);
    return histogram.edge(i);
  }
  /// The least edge beyond which, to both sides, there are at most `lost` numbers.
  static double magnitude(const Histogram& histogram, double lost) {
    const auto zero = static_cast<int64_t>(std::lround(-histogram.edge(0) / histogram.width()));
    int64_t k = std::max(zero, histogram.bins() - zero), beyond = 0;
    for (; k > 0; --k) {  // the bins k - 1 to the right of 0 and k to the left
      if (zero + k - 1 < histogram.bins()) beyond += numbers(histogram, zero + k - 1);
      if (zero - k >= 0) beyond += numbers(histogram, zero - k);
      if (static_cast<double>(beyond) > lost) break;
    }
    return histogram.width() * static_cast<double>(k);
  }

  double percentile_ = 99.99;
};

}  // namespace

extern const Entry<Observer> percentile_observer;
const Entry<Observer> percentile_observer{"percentile", "as far as a given part of all numbers reaches",
                                          make_component<Observer, PercentileObserver>};

}  // namespace compress::quant
