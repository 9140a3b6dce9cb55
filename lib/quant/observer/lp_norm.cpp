#include "quant/observer/observer.h"
#include "quant/statistics/range_search.h"

namespace compress::quant {

namespace {

/// The clip by which LAPQ (Nahshan et al. 2019) starts: small p cares for the many numbers in the middle, large p for
/// outliers.
class LpNormObserver final : public Observer {
public:
  void declare(Settings& settings) override {
    settings.required("p", p_, "order of the norm; LAPQ tries 2 to 4", {.low = 1, .high = 16});
  }
  StatisticsNeeds needs() const override { return {.histogram = true}; }

private:
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec& grid) const override {
    return least_norm_range(seen.extremes(), seen.histogram(), grid, p_);
  }

  double p_ = 2;
};

}  // namespace

extern const Entry<Observer> lp_norm_observer;
const Entry<Observer> lp_norm_observer{"lp_norm", "the range with the least p-norm of the error, as LAPQ starts",
                                       make_component<Observer, LpNormObserver>};

}  // namespace compress::quant
