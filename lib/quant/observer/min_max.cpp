#include "quant/observer/observer.h"

namespace compress::quant {

namespace {

class MinMaxObserver final : public Observer {
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec&) const override { return seen.extremes(); }
};

}  // namespace

extern const Entry<Observer> min_max_observer;
const Entry<Observer> min_max_observer{"min_max",
                                       "from the least to the greatest number that was seen (Distiller's NONE)",
                                       make_component<Observer, MinMaxObserver>};

}  // namespace compress::quant
