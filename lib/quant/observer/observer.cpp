#include "quant/observer/observer.h"

#include "core/error.h"
#include "ops/grid_format.h"

#include <algorithm>

namespace compress::quant {

#define ENTRY(name) extern const Entry<Observer> name##_observer;
#include "quant/observer/observers.def"
#undef ENTRY

const Registry<Observer>& observers() {
#define ENTRY(name) &name##_observer,
  static constexpr const Entry<Observer>* kEntries[] = {
#include "quant/observer/observers.def"
  };
#undef ENTRY
  static constexpr Registry<Observer> kRegistry("observer", kEntries);
  return kRegistry;
}

Extremes Observer::range(const ValueStatistics& seen, const ops::GridSpec& grid) const {
  check_format(grid);
  seen.require_seen();
  return fitted(choose(seen, grid), grid);
}

void Observer::check_format(const ops::GridSpec& grid) const {
  if (grid.is_integer() || !integers_only()) return;
  throw request_error("this observer chooses ranges of integers, but the format is '{}'", ops::word_of(grid.format))
      .hint("others choose for all formats: min_max, percentile, mse, lp_norm, n_std, ...");
}

Extremes fitted(const Extremes& range, const ops::GridSpec& grid) {
  const double low = std::min(range.low, 0.0), high = std::max(range.high, 0.0);
  if (!grid.symmetric) return {low, high};
  if (!grid.is_signed) return {0, high};
  const double reach = std::max(-low, high);
  return {-reach, reach};
}

bool one_sided(const ValueStatistics& seen, const ops::GridSpec& grid) {
  return seen.extremes().low >= 0 && !(grid.symmetric && grid.is_signed);
}

}  // namespace compress::quant
