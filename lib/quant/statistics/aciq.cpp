#include "quant/statistics/aciq.h"

#include <algorithm>
#include <cmath>

namespace compress::quant {

void AciqObserver::declare(Settings& settings) {
  settings.optional("half_range", half_range_,
                    "true: the distribution's upper half only; null: where no number is negative and the grid has no "
                    "use for negative ones");
  settings.optional("within_observed", within_observed_, "never beyond the least and the greatest number seen");
}

Extremes AciqObserver::choose(const ValueStatistics& seen, const ops::GridSpec& grid) const {
  const bool half = half_range_.value_or(one_sided(seen, grid));
  const double threshold = alpha(grid.bits, half) * (seen.*distribution_.spread)(), mean = seen.mean();
  Extremes range;
  if (grid.symmetric) {
    const double reach = std::abs(mean) + threshold;
    range = {-reach, reach};
  } else {
    const double low = std::max(seen.averaged_extremes().low, mean - threshold);
    range = {low, low + (half ? 1 : 2) * threshold};
  }
  if (!within_observed_) return range;
  const auto all = seen.extremes();
  return {std::max(range.low, all.low), std::min(range.high, all.high)};
}

double AciqObserver::alpha(int bits, bool half) const {
  if (bits <= 8) return (half ? distribution_.half : distribution_.full)[static_cast<size_t>(bits - 2)];
  const double levels = std::ldexp(1.0, bits + (half ? 1 : 0));
  double low = 0, high = 64;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (distribution_.slope(middle, levels) > 0 ? high : low) = middle;
  }
  return (low + high) / 2;
}

}  // namespace compress::quant
