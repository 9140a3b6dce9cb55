#pragma once

#include "quant/insertion/grids.h"
#include "quant/quantizer.h"
#include "quant/statistics/value_statistics.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace compress::quant {

/// What is to be known.
using StatisticsWanted = std::map<std::string, StatisticsNeeds>;

/// What the observers of the grids want to know of the grids' values.
StatisticsWanted statistics_wanted(const std::vector<SharedGrid>& grids);

/// Calls `consume` with the first so many samples, batch by batch; returns how many there were. A graph whose batch has
/// a size gets whole batches of that size.
int64_t for_first_samples(const Graph& graph,
                          const CalibrationBatches& calibration,
                          int64_t samples,
                          const std::function<void(const std::vector<at::Tensor>& inputs)>& consume);

/// Watches the named values (also graph inputs and constants) over the first `samples` samples, in one streaming pass
/// that feeds all observers. Memory: O(values * bins). Throws a run error when there is no sample, or when a value is
/// not finite.
Statistics observe_statistics(const Graph& graph,
                              const StatisticsWanted& wanted,
                              const CalibrationBatches& calibration,
                              int64_t samples);

/// The range of each grid, under the names of all its values: from the least to the greatest end of the ranges that
/// the rules' observers choose for the single values.
ValueRanges choose_ranges(const Statistics& statistics, const std::vector<SharedGrid>& grids);

}  // namespace compress::quant
