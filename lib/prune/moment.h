#pragma once

#include <cstdint>

namespace compress::prune {

/// When a pruner is asked for masks.
struct Moment {
  int64_t index = 0, count = 1;  ///< which of the window's active epochs this is, and how many there are
  int64_t epoch = 0;
  int64_t first_epoch = 0;  ///< of the window
  double frequency = 1;     ///< epochs from one active one to the next, on the average
  int64_t step = 0;         ///< mini-batches since the start of training
  uint64_t seed = 0;
};

}  // namespace compress::prune
