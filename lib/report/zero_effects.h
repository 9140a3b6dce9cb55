#pragma once

#include "analysis/cost.h"
#include "report/summary.h"

#include <optional>
#include <string>

namespace compress::report {

/// What the zeros among a network's weights are good for.
struct ZeroEffects {
  int64_t zeros = 0;               ///< weights that are zero
  int64_t removable_channels = 0;  ///< channels that thinning takes out
  int64_t removable_weights = 0;   ///< weights that go with them, zero or not
  int64_t removable_macs = 0;
  int64_t staying_zeros = 0;  ///< zeros that thinning leaves where they are
  int64_t macs = 0;           ///< of the network as it is
  std::string refused = {};   ///< why the network cannot be thinned; empty when it can

  std::string text() const;
};

/// Nothing for a network without zeros. `cost` is the graph's. Thins a copy to see what goes.
std::optional<ZeroEffects> zero_effects(const Graph& graph, const analysis::Cost& cost);

/// Adds what the zeros are good for: lines behind the text, numbers beside the totals.
SummaryForms with_zero_effects(SummaryForms forms, const std::optional<ZeroEffects>& effects);

}  // namespace compress::report
