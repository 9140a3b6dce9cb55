#include "quant/observer/observer.h"

#include <algorithm>

namespace compress::quant {

namespace {

class NStdObserver final : public Observer {
public:
  void declare(Settings& settings) override {
    settings.required("n", n_, "standard deviations to either side of the mean", above(0));
  }

private:
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec&) const override {
    const double reach = n_ * seen.standard_deviation();
    const auto all = seen.extremes();
    return {std::max(all.low, seen.mean() - reach), std::min(all.high, seen.mean() + reach)};
  }

  double n_ = 0;
};

}  // namespace

extern const Entry<Observer> n_std_observer;
const Entry<Observer> n_std_observer{
    "n_std", "n standard deviations around the mean, as far as numbers were seen there (Distiller's N_STD)",
    make_component<Observer, NStdObserver>};

}  // namespace compress::quant
