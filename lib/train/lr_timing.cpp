#include "train/lr_scheduler.h"
#include "train/nested_settings.h"

#include <algorithm>

namespace compress::train {

void WarmUp::declare(Settings& settings) {
  settings.optional("epochs", epochs, "length in epochs; may be a fraction", above(0));
  settings.optional("iterations", iterations, "length in optimiser steps, instead of epochs", at_least(1));
  settings.optional("start_factor", start_factor, "the first step's share of the schedule's rate", in(0, 1));
}

void WarmUp::check() const {
  if (epochs.has_value() == iterations.has_value())
    throw request_error("'warmup' takes either 'epochs' or 'iterations'{}",
                        epochs ? ", not both" : "; it has none of them")
        .hint("warmup: {epochs: 5, start_factor: 0.1}");
}

double WarmUp::factor(int64_t steps, int64_t steps_per_epoch) const {
  const double length = iterations ? static_cast<double>(*iterations) : *epochs * static_cast<double>(steps_per_epoch);
  return start_factor + (1 - start_factor) * std::min(1.0, static_cast<double>(steps) / length);
}

void LrTiming::declare(Settings& settings) {
  settings.choice("interval", interval, {{"epoch", Interval::epoch}, {"batch", Interval::batch}},
                  "what the schedule's time counts: epochs, or optimiser steps");
  settings.custom(nested_settings("warmup", warmup, "{epochs | iterations, start_factor}: smaller rates at first"));
}

}  // namespace compress::train
