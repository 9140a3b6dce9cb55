#include "passes/pass.h"
#include "schedule/policies.h"

namespace compress::schedule {

namespace {

/// Runs a pass at the beginning of its epochs, behind the policies that the recipe lists before it; without epochs
/// once, after training.
class PassPolicy final : public Policy {
public:
  explicit PassPolicy(std::unique_ptr<passes::Pass> pass) : pass_(std::move(pass)) {}

  bool compresses() const override { return true; }
  void on_epoch_begin(train::State& state) override { run(state); }
  void on_training_end(train::State& state) override {
    if (window.at_end()) run(state);
  }

private:
  void run(train::State& state) { state.apply(passes::run(*pass_, class_name, state.graph)); }

  std::unique_ptr<passes::Pass> pass_;
};

}  // namespace

std::unique_ptr<Policy> make_pass_policy(const PolicyEntry& entry) {
  return std::make_unique<PassPolicy>(read_component(passes::passes(), entry.component, entry.instance));
}

}  // namespace compress::schedule
