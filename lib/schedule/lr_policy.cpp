#include "schedule/policies.h"
#include "train/lr_scheduler.h"

namespace compress::schedule {

namespace {

enum class Interval { epoch, batch };

/// Sets the learning rate's factor of the epoch (or mini-batch) that begins; epoch 0 has time 0. Behind its window the
/// last active epoch's factor stays.
class LrPolicy final : public Policy {
public:
  LrPolicy(std::unique_ptr<train::LrScheduler> schedule, Interval interval)
      : schedule_(std::move(schedule)), interval_(interval) {}

  void on_epoch_begin(train::State& state) override {
    state.lr_per_batch = interval_ == Interval::batch;
    const auto epoch = window.latest(state.epoch);
    if (interval_ == Interval::epoch) {
      state.lr_factor = schedule_->factor(epoch, state.epochs, state.optimizer.base_lr());
    } else {
      const bool over = epoch < state.epoch;
      set_batch_factor(state, over ? (epoch + 1) * state.minibatches - 1 : epoch * state.minibatches);
    }
  }

  void on_minibatch_begin(train::State& state) override {
    if (interval_ == Interval::batch && window.active(state.epoch))
      set_batch_factor(state, state.epoch * state.minibatches + state.minibatch);
  }

private:
  void set_batch_factor(train::State& state, int64_t t) const {
    state.lr_factor = schedule_->factor(t, state.epochs * state.minibatches, state.optimizer.base_lr());
  }

  std::unique_ptr<train::LrScheduler> schedule_;
  Interval interval_;
};

}  // namespace

std::unique_ptr<Policy> make_lr_policy(const PolicyEntry& entry) {
  auto schedule = read_component(train::lr_schedulers(), entry.component, entry.instance, {"interval"});
  check_in(entry.component, [&] { schedule->check(); });
  Settings settings;
  Interval interval = Interval::epoch;
  settings.choice("interval", interval, {{"epoch", Interval::epoch}, {"batch", Interval::batch}},
                  "what time counts in");
  auto own = Yaml::map();
  if (const auto* value = entry.component.find("interval")) own.set("interval", *value);
  settings.read(own, entry.instance);
  return std::make_unique<LrPolicy>(std::move(schedule), interval);
}

}  // namespace compress::schedule
