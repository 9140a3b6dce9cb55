#include "quant/statistics/aciq.h"

#include <cmath>

namespace compress::quant {

namespace {

class AciqLaplaceObserver final : public AciqObserver {
public:
  AciqLaplaceObserver()
      : AciqObserver({.full = {2.83, 3.89, 5.03, 6.2, 7.41, 8.64, 9.89},
                      .half = {3.89, 5.02, 6.2, 7.41, 8.64, 9.89, 11.16},
                      .slope = slope,
                      .spread = &ValueStatistics::mean_absolute_deviation,
                      .needs = {.deviation = true}}) {}

private:
  static double slope(double alpha, double levels) { return alpha / (3 * levels * levels) - std::exp(-alpha); }
};

}  // namespace

extern const Entry<Observer> aciq_laplace_observer;
const Entry<Observer> aciq_laplace_observer{
    "aciq_laplace", "the best clip if the numbers follow a Laplace distribution (Distiller's LAPLACE)",
    make_component<Observer, AciqLaplaceObserver>};

}  // namespace compress::quant
