#include "quant/training/step_size_observers.h"

#include <cmath>

namespace compress::quant {
namespace {

/// The range whose grid (ops::make_grid) has this step.
Extremes reach_of(double step, const ops::GridSpec& grid) {
  if (!grid.symmetric) return {0, step * static_cast<double>(grid.high() - grid.low())};
  const double reach = step * ops::symmetric_steps(grid);
  return {grid.is_signed ? -reach : 0, reach};
}

double mean_magnitude(const ValueStatistics& seen) {
  if (seen.extremes().low >= 0) return seen.mean();
  const auto& histogram = seen.histogram();
  double sum = 0, numbers = 0;
  for (int64_t i = 0; i < histogram.bins(); ++i) {
    const auto count = static_cast<double>(histogram.count(i));
    sum += count * std::abs(histogram.centre(i));
    numbers += count;
  }
  return numbers > 0 ? sum / numbers : 0;
}

}  // namespace

Extremes MeanMagnitudeObserver::choose(const ValueStatistics& seen, const ops::GridSpec& grid) const {
  return reach_of(2 * mean_magnitude(seen) / std::sqrt(static_cast<double>(grid.high())), grid);
}

Extremes ThreeSigmaObserver::choose(const ValueStatistics& seen, const ops::GridSpec& grid) const {
  const double reach = std::abs(seen.mean()) + 3 * seen.standard_deviation();
  return reach_of(reach / static_cast<double>(int64_t{1} << (grid.bits - 1)), grid);
}

}  // namespace compress::quant
