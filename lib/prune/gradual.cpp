#include "prune/gradual.h"

#include <cmath>

namespace compress::prune {

void Gradual::declare(Settings& settings) {
  settings.required(initial_name, initial, "share removed in the first active epoch", half_open(0, 1));
  settings.required(final_name, final, "share removed in the last active epoch", half_open(0, 1));
}

void Gradual::check(const Moment& moment) const {
  if (final <= initial)
    throw request_error("'{}' ({}) must be above '{}' ({})", final_name, final, initial_name, initial);
  if (moment.count < 2)
    throw request_error("a gradual pruner needs at least two active epochs to go from '{}' to '{}', not {}",
                        initial_name, final_name, moment.count)
        .hint("widen the policy's epochs, or use a pruner with a fixed level");
}

double Gradual::at(const Moment& moment) const {
  const double done = static_cast<double>(moment.index) / static_cast<double>(moment.count - 1);
  return final + (initial - final) * std::pow(1 - done, 3);
}

}  // namespace compress::prune
