#pragma once

#include "quant/quantizer.h"

#include <map>
#include <string>
#include <vector>

namespace compress::quant {

/// The least and the greatest number in a value.
struct Extremes {
  double low = 0;
  double high = 0;
};
using ValueRanges = std::map<std::string, Extremes, std::less<>>;

/// Minimum and maximum of the named values (also graph inputs and constants) over the first `samples` samples, in one
/// streaming pass. Throws a run error when there is no sample, or when a value is not finite.
ValueRanges observe_ranges(const Graph& graph,
                           const std::vector<std::string>& names,
                           const CalibrationBatches& calibration,
                           int64_t samples);

}  // namespace compress::quant
