#include "quant/observer/observer.h"

namespace compress::quant {

namespace {

/// The only observer whose answer depends on how samples come in batches, and on their order.
class MovingAverageObserver final : public Observer {
public:
  void declare(Settings& settings) override {
    settings.optional("decay", decay_, "weight of the past at each batch", half_open(0, 1));
  }
  StatisticsNeeds needs() const override { return {.decays = {decay_}}; }

private:
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec&) const override {
    return seen.moving_average(decay_);
  }

  double decay_ = 0.99;
};

}  // namespace

extern const Entry<Observer> moving_average_observer;
const Entry<Observer> moving_average_observer{
    "moving_average", "moving averages of each batch's least and greatest number, corrected for their start",
    make_component<Observer, MovingAverageObserver>};

}  // namespace compress::quant
