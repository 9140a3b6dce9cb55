#pragma once

#include "quant/lapq/evaluations.h"

namespace compress::quant {

/// A direction with the length of its first trial; `axis` when it is that of one coordinate.
struct Direction {
  Point step;
  std::optional<size_t> axis = {};
};

struct LineOptions {
  double tolerance = 1e-2;       ///< of the minimum's place, in lengths of the first trial
  int64_t max_evaluations = 16;  ///< of Brent's method, once the minimum is bracketed
};

/// Moves `point` to the best place found on the line through it, inside the region, and `loss` with it: steps of
/// growing length until the loss rises, then Brent's method between the last of them. Never to a worse point.
void search_line(Evaluations& evaluations,
                 const Region& region,
                 const Direction& direction,
                 const LineOptions& options,
                 Point& point,
                 double& loss);

/// How far one can go from `point`: the least and the greatest multiple of the step that stay inside the region.
struct Reach {
  double low, high;
};
Reach find_reach(const Region& region, const Direction& direction, const Point& point);

/// point + t * step, inside the region also after rounding; coordinates without a step keep their bits.
Point point_at(const Region& region, const Direction& direction, const Point& point, double t);

}  // namespace compress::quant
