#include "quant/observer/observer.h"
#include "quant/statistics/range_search.h"

namespace compress::quant {

namespace {

class MseObserver final : public Observer {
public:
  StatisticsNeeds needs() const override { return {.histogram = true}; }

private:
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec& grid) const override {
    return least_norm_range(seen.extremes(), seen.histogram(), grid, 2);
  }
};

}  // namespace

extern const Entry<Observer> mse_observer;
const Entry<Observer> mse_observer{"mse", "the range with the least mean square error (OMSE)",
                                   make_component<Observer, MseObserver>};

}  // namespace compress::quant
