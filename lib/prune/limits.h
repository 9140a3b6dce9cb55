#pragma once

#include "core/settings.h"

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace compress::prune {

/// What every map must leave, whatever the amount decided: a minimum of structures, and numbers that hardware likes.
/// With a `global` amount it belongs inside what the amount measures, so that the target counts what really stays.
class Limits {
public:
  void declare(Settings& settings);
  bool operator==(const Limits&) const = default;

  /// How many of `structures` stay when an amount wants `kept` of them: a multiple of `multiple_of` (or all), at least
  /// `min_channels` (or all), never none.
  int64_t allowed(int64_t structures, int64_t kept) const;
  /// The map with as many structures as allowed: the strongest of the removed come back, or the weakest of the others
  /// go too; among equal ones the first go.
  at::Tensor apply(const at::Tensor& map, const at::Tensor& strengths) const;

private:
  enum class Rounding { up, down, nearest };

  int64_t min_channels_ = 1, multiple_of_ = 1;
  Rounding rounding_ = Rounding::up;
};

}  // namespace compress::prune
