#include "passes/pass.h"
#include "schedule/policies.h"
#include "train/follow_changes.h"
#include "train/samples.h"

#include <ATen/core/Tensor.h>

namespace compress::schedule {

namespace {

/// Runs a pass at the beginning of its epochs, behind the policies that the recipe lists before it; without epochs
/// once, after training. For a pass that goes back to an earlier epoch it keeps the parameters of that epoch.
class PassPolicy final : public Policy {
public:
  explicit PassPolicy(std::unique_ptr<passes::Pass> pass) : pass_(std::move(pass)) {}

  bool compresses() const override { return pass_->compresses(); }
  bool thins() const override { return pass_->thins(); }
  void bind(const Graph& graph, const Binding& binding, Problems& problems) override {
    inputs_ = binding.inputs;
    pass_->bind(graph, binding.open, problems);
    const auto epoch = pass_->remembers();
    if (epoch && !window.at_end() && *epoch > window.first_epoch())
      problems.add(request_error("'epoch' ({}) lies behind the first epoch in which '{}' acts ({}): there would be "
                                 "nothing to go back to",
                                 *epoch, instance, window.first_epoch()));
  }
  void before_epoch(train::State& state) override {
    if (pass_->remembers() == state.epoch) remember(state.graph);
  }
  void apply(const Changes& changes) override { train::follow_changes(remembered_, changes); }
  train::Memory save() const override { return {.values = {}, .tensors = remembered_}; }
  void load(const train::Memory& memory) override {
    remembered_.clear();
    for (const auto& [name, tensor] : memory.tensors) remembered_[name] = tensor.clone();
  }
  void on_epoch_begin(train::State& state) override { run(state); }
  void on_training_end(train::State& state) override {
    if (window.at_end()) run(state);
  }

private:
  void remember(const Graph& graph) {
    remembered_.clear();
    for (const Parameter& parameter : graph.parameters())
      if (parameter.value.is_floating_point()) remembered_[parameter.name] = parameter.value.detach().clone();
  }

  void run(train::State& state) {
    if (const auto need = pass_->needs(); need.samples > 0)
      pass_->look_at([this, &state, need](const auto& consume) {
        train::for_training_samples(
            state.graph, state.data,
            {.samples = need.samples, .batch_size = need.batch_size, .seed = state.seed, .device = state.device},
            inputs_, consume);
      });
    if (pass_->remembers()) pass_->recall(remembered_);
    const auto made = passes::run(*pass_, class_name, state.graph);
    train::follow_changes(remembered_, made);
    state.apply(made);
    if (pass_->resets_optimizer()) reset_optimizer(state);
  }

  static void reset_optimizer(train::State& state) {
    state.optimizer.apply({});  // it lets go of the parameters, so that its state is all its own
    state.optimizer.load_state({});
    state.graph.touch();  // the trainer binds it again
  }

  std::unique_ptr<passes::Pass> pass_;
  std::map<std::string, std::string> inputs_;
  std::map<std::string, at::Tensor> remembered_;  ///< by parameter, for a pass that goes back
};

}  // namespace

std::unique_ptr<Policy> make_pass_policy(const PolicyEntry& entry) {
  return std::make_unique<PassPolicy>(read_component(passes::passes(), entry.component, entry.instance));
}

}  // namespace compress::schedule
