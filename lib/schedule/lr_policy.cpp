#include "schedule/policies.h"
#include "train/lr_scheduler.h"

#include <algorithm>

namespace compress::schedule {

namespace {

using train::LrTiming;

/// Sets the learning rate's factor of the epoch (or step) that begins; epoch 0 has time 0. Behind its window the last
/// factor stays.
class LrPolicy final : public Policy {
public:
  LrPolicy(std::unique_ptr<train::LrScheduler> schedule, LrTiming timing, Yaml component)
      : schedule_(std::move(schedule)), timing_(std::move(timing)), component_(std::move(component)) {}

  void bind_task(const train::Task& task, const data::Splits& data, Problems& problems) override {
    if (!schedule_->follows_metric()) return;
    problems.capture([&] {
      check_in(component_, [&] {
        if (!data.validation)
          throw request_error("'{}' follows a validation metric, but there is no validation split", class_name)
              .hint("data.validation_split: 0.1");
        schedule_->bind(task);
      });
    });
  }

  void on_epoch_begin(train::State& state) override {
    state.lr_per_batch = every_step();
    set(state);
  }

  void on_minibatch_begin(train::State& state) override {
    if (every_step() && window.active(state.epoch)) set(state);
  }

  void on_epoch_end(train::State& state) override {
    if (schedule_->follows_metric() && window.active(state.epoch))
      schedule_->observe(state.validation, state.optimizer.base_lr());
  }

  train::Memory save() const override { return {.values = schedule_->save(), .tensors = {}}; }
  void load(const train::Memory& memory) override { schedule_->load(memory.values); }

private:
  bool every_step() const { return timing_.interval == LrTiming::Interval::batch || timing_.warmup; }

  /// The step of training whose rate is in force: this one, or the last of the window.
  int64_t step_in_force(const train::State& state) const {
    const auto epoch = window.latest(state.epoch);
    return epoch < state.epoch ? (epoch + 1) * state.minibatches - 1
                               : state.epoch * state.minibatches + state.minibatch;
  }

  void set(train::State& state) const {
    const int64_t step = step_in_force(state);
    const bool by_epoch = timing_.interval == LrTiming::Interval::epoch;
    const int64_t t = by_epoch ? window.latest(state.epoch) : step;
    const int64_t total = by_epoch ? state.epochs : state.epochs * state.minibatches;
    state.lr_factor = schedule_->factor(t, total, state.optimizer.base_lr());
    state.momentum = schedule_->momentum(t, total);
    if (!timing_.warmup) return;
    const int64_t begin = window.first_epoch() * state.minibatches;
    state.lr_factor *= timing_.warmup->factor(step - begin, state.minibatches);
  }

  std::unique_ptr<train::LrScheduler> schedule_;
  LrTiming timing_;
  Yaml component_;
};

LrTiming read_timing(const PolicyEntry& entry) {
  Settings settings;
  LrTiming timing;
  timing.declare(settings);
  auto own = Yaml::map();
  for (const auto& field : settings.fields())
    if (const auto* value = entry.component.find(field.name)) own.set(field.name, *value);
  settings.read(own, fmt::format("{} '{}'", entry.class_name, entry.instance));
  return timing;
}

}  // namespace

std::unique_ptr<Policy> make_lr_policy(const PolicyEntry& entry) {
  auto schedule = read_component(train::lr_schedulers(), entry.component, entry.instance, {"interval", "warmup"});
  check_in(entry.component, [&] { schedule->check(); });
  auto timing = read_timing(entry);
  check_in(entry.component, [&] {
    if (schedule->follows_metric() && timing.interval == LrTiming::Interval::batch)
      throw request_error("{} follows a metric of each epoch, so its 'interval' cannot be 'batch'", entry.class_name);
  });
  return std::make_unique<LrPolicy>(std::move(schedule), std::move(timing), entry.component);
}

}  // namespace compress::schedule
