#include "quant/observer/observer.h"

namespace compress::quant {

namespace {

class AveragedMinMaxObserver final : public Observer {
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec&) const override { return seen.averaged_extremes(); }
};

}  // namespace

extern const Entry<Observer> averaged_min_max_observer;
const Entry<Observer> averaged_min_max_observer{
    "averaged_min_max", "means over the samples of each sample's least and greatest number (Distiller's AVG)",
    make_component<Observer, AveragedMinMaxObserver>};

}  // namespace compress::quant
