#pragma once

#include "run/run.h"

namespace compress::tools {

/// Prints what a run did. Throws an error of fault `check` when a check of the recipe failed.
void report(const run::Outcome& outcome);

}  // namespace compress::tools
