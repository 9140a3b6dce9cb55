#pragma once

#include "quant/lapq/evaluations.h"

namespace compress::quant {

struct HopOptions {
  int64_t hops = 100;
  double temperature = 1;  ///< a worse minimum is accepted with probability exp(-(increase) / temperature)
  double length = 2;       ///< of a hop along each coordinate at most, in steps of the region
  uint64_t seed = 0;
};

/// A search for a local minimum from a point; powell or an NLopt method on the same Evaluations.
using LocalSearch = std::function<Outcome(const Point& start)>;

/// Searches from the start, then again and again from a random place near the last accepted minimum (Wales and Doye
/// 1997). Hop i draws from (seed, i) alone. The outcome is the best local minimum; its iterations are the hops made.
/// Throws a request error when start, region or options are wrong.
Outcome basin_hopping(const Evaluations& evaluations,
                      const Region& region,
                      const Point& start,
                      const LocalSearch& search,
                      const HopOptions& options);

}  // namespace compress::quant
