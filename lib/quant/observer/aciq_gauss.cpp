#include "quant/statistics/aciq.h"

#include <cmath>
#include <numbers>

namespace compress::quant {

namespace {

class AciqGaussObserver final : public AciqObserver {
public:
  AciqGaussObserver()
      : AciqObserver({.full = {1.71, 2.15, 2.55, 2.93, 3.28, 3.61, 3.92},
                      .half = {2.15, 2.55, 2.93, 3.28, 3.61, 3.92, 4.2},
                      .slope = slope,
                      .spread = &ValueStatistics::standard_deviation}) {}

private:
  static double slope(double alpha, double levels) {
    const double density = std::sqrt(2 / std::numbers::pi) * std::exp(-alpha * alpha / 2);
    return alpha * std::erfc(alpha / std::numbers::sqrt2) - density + alpha / (3 * levels * levels);
  }
};

}  // namespace

extern const Entry<Observer> aciq_gauss_observer;
const Entry<Observer> aciq_gauss_observer{"aciq_gauss",
                                          "the best clip if the numbers are normally distributed (Distiller's GAUSS)",
                                          make_component<Observer, AciqGaussObserver>};

}  // namespace compress::quant
