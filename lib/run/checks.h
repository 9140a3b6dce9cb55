#pragma once

#include "run/measure.h"
#include "schedule/recipe.h"

#include <string>
#include <vector>

namespace compress::run {

/// The thresholds of `checks:` that the result does not hold, as sentences; empty when all hold. A metric that does not
/// exist is a failure.
std::vector<std::string> failed_checks(const schedule::ChecksConfig& checks,
                                       const Measurement& baseline,
                                       const Measurement& result,
                                       const std::vector<int64_t>& export_bytes);

}  // namespace compress::run
