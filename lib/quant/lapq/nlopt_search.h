#pragma once

#include "quant/lapq/evaluations.h"

#include <span>
#include <string>

namespace compress::quant {

struct NloptOptions {
  double tolerance = 1e-4;        ///< converged when a step changes the loss by less than this share,
  double point_tolerance = 1e-2;  ///< or every coordinate by less than this share of the region's step
};

/// "bobyqa", "cobyla", "nelder-mead" and "sbplx": searches without derivatives of the NLopt library (Powell 2009,
/// Powell 1994, Nelder and Mead 1965, Rowan 1990).
std::span<const std::string> nlopt_methods();

/// Throws a request error when method, start or region is wrong, or when the program was built without NLopt; a run
/// error when NLopt fails. What the loss throws passes through. No iterations are counted; the limit is that of
/// Evaluations.
Outcome nlopt_search(const std::string& method,
                     Evaluations& evaluations,
                     const Region& region,
                     const Point& start,
                     const NloptOptions& options);

}  // namespace compress::quant
