#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "ops/quantization_grid.h"
#include "quant/statistics/value_statistics.h"

namespace compress::quant {

/// Chooses from which to which number a grid reaches: a rule with its arguments, applied to the statistics of any
/// number of values. One file in lib/quant/observer and one line in observers.def each.
///
///     ValueStatistics seen("conv1", observer.needs());
///     for (batches) seen.watch(value);
///     const auto range = observer.range(seen, grid);
class Observer {
public:
  virtual ~Observer() = default;
  virtual void declare(Settings&) {}
  /// What it reads of the statistics; those of several observers are joined with |=.
  virtual StatisticsNeeds needs() const { return {}; }
  /// The range for a grid, as ops::make_grid takes it. It holds 0; on symmetric grids it is [-t, t], and [0, t] where
  /// the grid is unsigned. [0, 0] for values that are all 0. It does not go beyond the observed extremes and 0 (on
  /// symmetric grids: the furthest of them), with two exceptions: the formulas of ACIQ may, and `sqnr` snaps its ends
  /// to the grid, by at most half a step. Throws a run error that names the value when nothing was observed.
  Extremes range(const ValueStatistics& seen, const ops::GridSpec& grid) const;
  /// Throws a request error when it cannot choose for grids of this format.
  void check_format(const ops::GridSpec& grid) const;

private:
  /// Its formula or its search holds for evenly spaced numbers: integers.
  virtual bool integers_only() const { return false; }
  virtual Extremes choose(const ValueStatistics& seen, const ops::GridSpec& grid) const = 0;
};
const Registry<Observer>& observers();

/// A range made one of the grid's kind, as Observer::range describes it.
Extremes fitted(const Extremes& range, const ops::GridSpec& grid);

/// True when no value is negative, so that a symmetric clip would leave half of an asymmetric or unsigned grid to
/// nothing.
bool one_sided(const ValueStatistics& seen, const ops::GridSpec& grid);

}  // namespace compress::quant
