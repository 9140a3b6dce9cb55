#include "quant/observer/observer.h"
#include "quant/statistics/range_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace compress::quant {

namespace {

/// AIMET's "TF-enhanced": the candidate with the least square error, in which clipped numbers count `gamma` times.
/// Steps and offsets are tried as AIMET's newer form does, on a histogram of at least 2048 bins; of equal candidates
/// the first wins, which is the one of the smallest step. Ties round half to even, as everywhere here (AIMET's cost
/// rounds them away from 0).
class SqnrObserver final : public Observer {
public:
  void declare(Settings& settings) override {
    settings.optional("gamma", gamma_, "how many times the error of clipped numbers counts", above(0));
  }
  StatisticsNeeds needs() const override { return {.histogram = true}; }

private:
  static constexpr int kSymmetricSteps = 100, kSteps = 16, kOffsets = 20;

  struct Best {
    Extremes range;
    double cost = std::numeric_limits<double>::infinity();
  };

  bool integers_only() const override { return true; }
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec& grid) const override {
    const WeightedPoints points(seen.histogram());
    const auto all = fitted(seen.extremes(), grid);
    if (points.values.empty() || all.low == all.high) return {0, 0};
    return grid.symmetric ? symmetric(points, all, grid) : asymmetric(points, all, grid);
  }

  void consider(const WeightedPoints& points, const Extremes& range, const ops::GridSpec& spec, Best& best) const {
    const PlainGrid grid(range, spec);
    const double low = grid.low() - grid.scale / 2, high = grid.high() + grid.scale / 2;
    double cost = 0;
    for (size_t i = 0; i < points.values.size(); ++i) {
      const double x = points.values[i], error = x - grid.nearest(x);
      cost += points.weights[i] * error * error * (x < low || x > high ? gamma_ : 1);
    }
    if (cost < best.cost) best = {range, cost};
  }

  /// Steps of 1/100 to 101/100 of the one that covers all; here as the clip that leads to them.
  Extremes symmetric(const WeightedPoints& points, const Extremes& all, const ops::GridSpec& grid) const {
    Best best;
    const int most = grid.is_signed ? kSymmetricSteps + 1 : kSymmetricSteps;
    for (int k = 1; k <= most; ++k) {
      const double fraction = static_cast<double>(k) / kSymmetricSteps;
      consider(points, {all.low * fraction, all.high * fraction}, grid, best);
    }
    return {std::max(best.range.low, all.low), std::min(best.range.high, all.high)};
  }

  /// 17 steps times 21 offsets, clamped to the observed range, which is snapped to the grid first.
  Extremes asymmetric(const WeightedPoints& points, const Extremes& all, const ops::GridSpec& grid) const {
    const auto n = static_cast<double>(grid.high() - grid.low());
    const double widest = (all.high - all.low) / n, offset = std::nearbyint(all.low / widest);
    const Extremes observed{widest * offset, widest * (offset + n)};
    const int offsets = static_cast<int>(std::min<double>(kOffsets, n + 1));
    Best best;
    const auto try_pair = [&](double step, double first) {
      const double low = std::max(observed.low, step * first), high = std::min(observed.high, step * (first + n));
      if (high <= low) return;
      const double clamped = (high - low) / n, snapped = clamped * std::nearbyint(low / clamped);
      consider(points, {snapped, snapped + n * clamped}, grid, best);
    };
    for (int k = 1; k <= kSteps + 1; ++k) {
      const double step = widest * k / kSteps;
      for (int i = 0; i < offsets; ++i) try_pair(step, std::nearbyint(-n + n * i / (offsets - 1)));
      try_pair(step, offset);
    }
    try_pair(widest, offset);
    return best.range;
  }

  double gamma_ = 3;
};

}  // namespace

extern const Entry<Observer> sqnr_observer;
const Entry<Observer> sqnr_observer{
    "sqnr", "the range with the best signal to noise ratio, clipping counted more (AIMET's TF-enhanced)",
    make_component<Observer, SqnrObserver>};

}  // namespace compress::quant
