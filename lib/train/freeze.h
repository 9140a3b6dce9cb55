#pragma once

#include "core/settings.h"
#include "graph/graph.h"

#include <string>
#include <vector>

namespace compress::train {

/// `training.freeze`: names of parameters, or patterns with '*', that keep their values.
struct Freeze {
  std::vector<std::string> patterns;
  std::vector<Place> places;  ///< of each pattern
  Field field();
};

/// Each pattern must match a trainable parameter, and one must be left to train. Throws a request error, all problems
/// at once.
void check_freeze(const Freeze& freeze, const Graph& graph);

/// The batch-norms whose scale and offset are both frozen: they normalise with their running statistics, which stay
/// as they are.
std::vector<std::string> frozen_batch_norms(const Freeze& freeze, const Graph& graph);

}  // namespace compress::train
