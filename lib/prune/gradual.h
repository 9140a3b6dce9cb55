#pragma once

#include "core/settings.h"
#include "prune/moment.h"

#include <string>

namespace compress::prune {

/// A share that rises from the first active epoch to the last along Zhu & Gupta's cubic curve,
/// s = final + (initial - final) * (1 - index / (count - 1))^3 (AGP, arXiv 1710.01878).
struct Gradual {
  std::string initial_name = "initial", final_name = "final";  ///< as the arguments are called
  double initial = 0, final = 0;

  void declare(Settings& settings);
  /// Refuses shares that do not rise, and windows of a single epoch.
  void check(const Moment& moment) const;
  double at(const Moment& moment) const;
};

}  // namespace compress::prune
