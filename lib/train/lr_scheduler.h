#pragma once

#include "core/registry.h"
#include "core/settings.h"

#include <cstdint>
#include <memory>

namespace compress::train {

/// A learning-rate schedule as a pure function of time (PyTorch's names, arguments and values). Stateless, so a resumed
/// run is exact.
class LrScheduler {
public:
  virtual ~LrScheduler() = default;
  virtual void declare(Settings& settings) = 0;
  /// Refuses arguments that contradict each other (request error).
  virtual void check() const {}
  /// The factor on the base learning rate after `t` steps of `total` (epochs, or mini-batches with `interval: batch`).
  /// `base_lr` is for schedules that name absolute rates (OneCycleLR's max_lr, CosineAnnealingLR's eta_min).
  virtual double factor(int64_t t, int64_t total, double base_lr) const = 0;
};
const Registry<LrScheduler>& lr_schedulers();

}  // namespace compress::train
