#pragma once

#include "quant/observer/observer.h"

/// Where learned step sizes begin, as ranges.
namespace compress::quant {

/// Step 2 E|x| / sqrt(high) (Esser et al. 2019, section 2.1). With few bits that clips, with many it reaches beyond the
/// extremes: as the paper has it. E|x| of values that may be negative leaves out exact zeros, which a mask made.
class MeanMagnitudeObserver final : public Observer {
public:
  StatisticsNeeds needs() const override { return {.histogram = true}; }

private:
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec& grid) const override;
};

/// Step max(|mean - 3 std|, |mean + 3 std|) / 2^(bits-1) (Bhalgat et al. 2020, equation 10): for weights.
class ThreeSigmaObserver final : public Observer {
  Extremes choose(const ValueStatistics& seen, const ops::GridSpec& grid) const override;
};

}  // namespace compress::quant
