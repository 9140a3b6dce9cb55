#include "quant/statistics/aciq.h"

#include <cmath>

namespace compress::quant {

namespace {

class AciqLaplaceObserver final : public AciqObserver {
public:
  StatisticsNeeds needs() const override { return {.deviation = true}; }

private:
  static double slope(double alpha, double levels) { return alpha / (3 * levels * levels) - std::exp(-alpha); }
  double alpha(int bits, bool half) const override {
    static constexpr Alphas kFull{2.83, 3.89, 5.03, 6.2, 7.41, 8.64, 9.89};
    static constexpr Alphas kHalf{3.89, 5.02, 6.2, 7.41, 8.64, 9.89, 11.16};
    if (bits <= 8) return (half ? kHalf : kFull)[static_cast<size_t>(bits - 2)];
    return optimal_alpha(slope, bits + (half ? 1 : 0));
  }
  double spread(const ValueStatistics& seen) const override { return seen.mean_absolute_deviation(); }
};

}  // namespace

extern const Entry<Observer> aciq_laplace_observer;
const Entry<Observer> aciq_laplace_observer{
    "aciq_laplace", "the best clip if the numbers follow a Laplace distribution (Distiller's LAPLACE)",
    make_component<Observer, AciqLaplaceObserver>};

}  // namespace compress::quant
