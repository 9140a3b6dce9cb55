#pragma once

#include "quant/lapq/line_search.h"

namespace compress::quant {

struct PowellOptions {
  int64_t max_iterations = 20;
  double tolerance = 1e-4;  ///< converged when an iteration lowers the loss by less than this share
  LineOptions line = {};
};

/// Powell's method (Powell 1964, "An efficient method for finding the minimum of a function of several variables
/// without calculating derivatives"): an iteration searches the line along each direction, at first the coordinates'
/// axes; the way made in it replaces the direction that gained most, where Powell's criterion says that the set stays
/// independent (Numerical Recipes 10.7). Throws a request error when start or region is wrong.
Outcome powell(Evaluations& evaluations, const Region& region, const Point& start, const PowellOptions& options);

}  // namespace compress::quant
