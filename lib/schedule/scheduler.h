#pragma once

#include "schedule/policy.h"

#include <memory>
#include <string>
#include <vector>

namespace compress::schedule {

/// Calls the active policies of an epoch in the recipe's order, learning-rate policies last; keeps masked weights at
/// zero after each optimiser step. The one Hook that the trainer knows.
///
/// Of several learning-rate policies the one that was active last sets the rate (of two active in one epoch the later
/// in the recipe); behind its window its last factor stays.
class Scheduler final : public train::Hook {
public:
  void add(std::unique_ptr<Policy> policy);
  const std::vector<std::unique_ptr<Policy>>& policies() const { return policies_; }

  /// Lets every policy find what it needs of task and data; throws a request error with all problems.
  void bind_task(const train::Task& task, const data::Splits& data);

  /// The last epoch in which a compressing policy acts, 0 without one: a checkpoint of its end or later may be the
  /// best.
  int64_t first_settled_epoch() const;
  /// The first epoch in which a compressing policy acts; `epochs` when none does before the end.
  int64_t first_compressing_epoch(int64_t epochs) const;

  void on_training_begin(train::State&) override;
  void on_epoch_begin(train::State&) override;
  void on_minibatch_begin(train::State&) override;
  std::vector<std::string> observed(const train::State&) const override;
  void before_backward_pass(train::State&) override;
  void before_parameter_optimization(train::State&) override;
  void on_minibatch_end(train::State&) override;
  void on_epoch_end(train::State&) override;
  void on_training_end(train::State&) override;
  /// Keyed by kind and instance: a resumed run binds the same recipe to the graph that training began with, then loads.
  train::Memory save() const override;
  void load(const train::Memory&) override;

private:
  using Callback = void (train::Hook::*)(train::State&);
  void call(Policy& policy, Callback callback, train::State& state);
  void call_active(Callback callback, train::State& state);
  Policy* lr_policy(int64_t epoch) const;
  void apply_masks(train::State& state) const;

  std::vector<std::unique_ptr<Policy>> policies_;
  std::vector<std::string> keys_;  ///< one per policy: "pruner filters", "pruner filters #2"
};

}  // namespace compress::schedule
