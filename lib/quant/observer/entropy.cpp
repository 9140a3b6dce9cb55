#include "quant/observer/observer.h"
#include "quant/statistics/range_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace compress::quant {

namespace {

/// Minimal Kullback-Leibler divergence of what the grid makes of the distribution, as TensorRT does it, for any number
/// of bits. P: the bins inside the range, what lies outside added to the outermost. Q: the bins inside, the numbers of
/// each level spread evenly over those of its bins that are not empty. Exact zeros are left out: they would only say
/// how wide the level of 0 is.
class EntropyObserver final : public Observer {
public:
  StatisticsNeeds needs() const override { return {.histogram = true}; }

private:
  /// What stands for an empty bin of Q where P has outliers, in numbers.
  static constexpr double kEmpty = 1e-4;

  bool integers_only() const override { return true; }
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec& grid) const override {
    const auto all = seen.extremes();
    const auto& histogram = seen.histogram();
    if (histogram.total() == histogram.zeros()) return {0, 0};
    return search_range(all, grid,
                        [&](const Extremes& range) { return divergence(histogram, fitted(range, grid), grid); });
  }

  static double divergence(const Histogram& histogram, const Extremes& range, const ops::GridSpec& spec) {
    const PlainGrid grid(range, spec);
    const double width = histogram.width();
    const auto index = [&](double x) { return static_cast<int64_t>(std::floor((x - histogram.edge(0)) / width)); };
    const int64_t first = std::clamp<int64_t>(index(range.low), 0, histogram.bins() - 1);
    const int64_t last = std::clamp<int64_t>(index(range.high), first, histogram.bins() - 1);
    int64_t below = 0, above = 0, inside = 0;
    for (int64_t i = 0; i < histogram.bins(); ++i)
      (i < first ? below : i > last ? above : inside) += histogram.count(i);
    if (inside == 0) return std::numeric_limits<double>::infinity();
    const auto p_of = [&](int64_t i) {
      return static_cast<double>(histogram.count(i) + (i == first ? below : 0) + (i == last ? above : 0));
    };
    const double p_total = static_cast<double>(below + inside + above), q_total = static_cast<double>(inside);
    double sum = 0;
    for (int64_t i = first; i <= last;) {
      const double level = grid.integer(histogram.centre(i));
      int64_t end = i, numbers = 0, used = 0;
      for (; end <= last && grid.integer(histogram.centre(end)) == level; ++end) {
        numbers += histogram.count(end);
        used += histogram.count(end) > 0 ? 1 : 0;
      }
      const double even = used == 0 ? 0 : static_cast<double>(numbers) / static_cast<double>(used);
      for (; i < end; ++i)
        if (const double p = p_of(i); p > 0) {
          const double q = histogram.count(i) > 0 ? even : kEmpty;
          sum += p / p_total * std::log((p / p_total) / (q / q_total));
        }
    }
    return sum;
  }
};

}  // namespace

extern const Entry<Observer> entropy_observer;
const Entry<Observer> entropy_observer{
    "entropy", "the range that keeps most of the distribution (least Kullback-Leibler divergence)",
    make_component<Observer, EntropyObserver>};

}  // namespace compress::quant
