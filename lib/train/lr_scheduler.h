#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "train/task.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <optional>

namespace compress::train {

/// A learning-rate schedule with PyTorch's names, arguments and values: a pure function of time, so that a resumed run
/// is exact. The one that follows a metric (ReduceLROnPlateau) keeps its state in checkpoints.
class LrScheduler {
public:
  virtual ~LrScheduler() = default;
  virtual void declare(Settings& settings) = 0;
  /// Refuses arguments that contradict each other (request error).
  virtual void check() const {}
  /// The factor on the base learning rate after `t` steps of `total` (epochs, or optimiser steps with `interval:
  /// batch`). `base_lr` is for schedules that name absolute rates (OneCycleLR's max_lr, CosineAnnealingLR's eta_min).
  virtual double factor(int64_t t, int64_t total, double base_lr) const = 0;
  /// The optimiser's momentum at that time; nothing: the declared one.
  virtual std::optional<double> momentum(int64_t, int64_t) const { return {}; }

  /// True for a schedule that follows a validation metric. Its time counts epochs, and observe() is called after each.
  virtual bool follows_metric() const { return false; }
  /// Finds the metric it follows among the task's; throws a request error when there is none.
  virtual void bind(const Task&) {}
  virtual void observe(const Metrics&, double /*base_lr*/) {}
  virtual nlohmann::json save() const { return {}; }
  virtual void load(const nlohmann::json&) {}
};
const Registry<LrScheduler>& lr_schedulers();

/// The first steps of training with a smaller learning rate: the schedule's rate times a factor that grows linearly
/// from start_factor to 1, step by step, as PyTorch's LinearLR chained with the schedule.
struct WarmUp {
  std::optional<double> epochs;
  std::optional<int64_t> iterations;
  double start_factor = 0.1;

  void declare(Settings& settings);
  /// Throws a request error unless one of epochs and iterations is given.
  void check() const;
  /// After `steps` optimiser steps.
  double factor(int64_t steps, int64_t steps_per_epoch) const;
};

/// What the entry of every schedule takes besides the schedule's own arguments.
struct LrTiming {
  enum class Interval { epoch, batch };
  Interval interval = Interval::epoch;
  std::optional<WarmUp> warmup;

  void declare(Settings& settings);
};

}  // namespace compress::train
