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
  void declare(Settings& settings) override;

protected:
  /// Distiller's numbers for 2 to 8 bits; beyond, alpha is the root that they approximate.
  using Alphas = std::array<double, 7>;

private:
  bool integers_only() const final { return true; }
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec& grid) const final;
  virtual double alpha(int bits, bool half) const = 0;
  virtual double spread(const ValueStatistics& seen) const = 0;

  std::optional<bool> half_range_ = {};
  bool within_observed_ = false;
};

/// The alpha at which `slope`, the derivative of the mean square error by alpha, turns positive.
double optimal_alpha(double (*slope)(double alpha, double levels), int bits);

}  // namespace compress::quant
