#include "quant/lapq/basin_hopping.h"

#include "core/error.h"
#include "core/random.h"

#include <cmath>

namespace compress::quant {

namespace {

Point hop(const Region& region, Point point, double length, Random& random) {
  for (size_t i = 0; i < point.size(); ++i) point[i] += random.uniform(-length, length) * region.step[i];
  return region.clamped(std::move(point));
}

bool accepted(double increase, double temperature, Random& random) {
  const auto draw = random.uniform();
  return increase <= 0 || (temperature > 0 && draw < std::exp(-increase / temperature));
}

void check_options(const HopOptions& options) {
  if (options.hops < 0) throw request_error("basin-hopping: {} hops; there must be none or more", options.hops);
  if (!(options.temperature >= 0))
    throw request_error("basin-hopping: the temperature is {}; it must not be negative", options.temperature);
  if (!(options.length > 0))
    throw request_error("basin-hopping: the length of a hop is {}; it must be positive", options.length);
}

}  // namespace

Outcome basin_hopping(const Evaluations& evaluations,
                      const Region& region,
                      const Point& start,
                      const LocalSearch& search,
                      const HopOptions& options) {
  check_options(options);
  region.check(start);
  auto current = search(start);
  auto best = current;
  best.iterations = 0;
  for (int64_t i = 1; i <= options.hops && !evaluations.spent(); ++i) {
    Random random(options.seed, "basin-hopping", {static_cast<uint64_t>(i)});
    const auto found = search(hop(region, current.point, options.length, random));
    if (found.loss < best.loss) {
      best.point = found.point;
      best.loss = found.loss;
    }
    best.iterations = i;
    if (accepted(found.loss - current.loss, options.temperature, random)) current = found;
  }
  best.stop = evaluations.spent() ? Stop::evaluations : Stop::iterations;
  return best;
}

}  // namespace compress::quant
