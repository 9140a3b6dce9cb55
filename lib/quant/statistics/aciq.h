#pragma once

#include "quant/observer/observer.h"

#include <array>
#include <optional>

namespace compress::quant {

/// Analytical clipping (Banner et al. 2018) as Distiller computes it: threshold = alpha(bits) * spread.
/// Symmetric: |mean| + threshold. Asymmetric: from max(mean of the samples' minima, mean - threshold) on, 2 thresholds
/// wide, or one with half range (for values that are not negative). The formula does not look at the maximum, so the
/// range may go beyond it; `within_observed` keeps it inside.
class AciqObserver : public Observer {
public:
  struct Distribution {
    /// Distiller's alphas for 2 to 8 bits, for all of the distribution and for its upper half.
    std::array<double, 7> full, half;
    /// The derivative of the mean square error by alpha. Beyond 8 bits alpha is its root, which the numbers above
    /// approximate.
    double (*slope)(double alpha, double levels);
    double (ValueStatistics::*spread)() const;
    StatisticsNeeds needs = {};
  };

  explicit AciqObserver(const Distribution& distribution) : distribution_(distribution) {}
  void declare(Settings& settings) final;
  StatisticsNeeds needs() const final { return distribution_.needs; }

private:
  bool integers_only() const final { return true; }
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec& grid) const final;
  double alpha(int bits, bool half) const;

  Distribution distribution_;
  std::optional<bool> half_range_ = {};
  bool within_observed_ = false;
};

}  // namespace compress::quant
