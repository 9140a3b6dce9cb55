#pragma once

#include "core/settings.h"
#include "prune/pruner.h"

#include <ATen/core/Tensor.h>

/// Sparsity levels: which elements a level removes, and how Zhu & Gupta's automated gradual pruning raises it.
namespace compress::prune {

/// The mask (float, the tensor's shape) that removes exactly floor(level * elements) elements of smallest magnitude.
/// Among equal ones the first go. (Distiller compares with a threshold and removes all that are equal to it.)
at::Tensor level_mask(const at::Tensor& weight, double level);

/// Two arguments of every gradual pruner, and the level between them: from the initial sparsity in the first active
/// epoch to the final one in the last, s = final + (initial - final) * (1 - index / (count - 1))^3 (arXiv 1710.01878).
struct GradualLevel {
  double initial = 0, final = 0;

  void declare(Settings& settings);
  /// Refuses levels that do not rise, and windows of a single epoch.
  void check(const Moment& moment) const;
  double at(const Moment& moment) const;
};

}  // namespace compress::prune
