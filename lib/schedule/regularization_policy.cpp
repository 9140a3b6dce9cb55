#include "prune/pruner.h"
#include "regularize/regularizer.h"
#include "schedule/policies.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

namespace compress::schedule {

namespace {

/// Adds the regulariser's term to the loss; with a threshold criterion, zeroes weights after each mini-batch.
class RegularizationPolicy final : public Policy {
public:
  RegularizationPolicy(std::unique_ptr<regularize::Regularizer> regularizer, bool keep_mask)
      : regularizer_(std::move(regularizer)), keep_mask_(keep_mask) {}

  bool compresses() const override { return regularizer_->thresholds(); }
  void bind(const Graph& graph, const Binding&, Problems& problems) override { regularizer_->bind(graph, problems); }

  void before_backward_pass(train::State& state) override {
    const auto term = regularizer_->loss(state.graph);
    if (!term.defined()) return;
    state.loss = state.loss.add(term);
    state.loss_terms.emplace_back(class_name + "_loss", term.detach());
  }

  void on_minibatch_end(train::State& state) override {
    if (!regularizer_->thresholds()) return;
    at::NoGradGuard no_grad;
    const bool last = state.epoch == window.last_epoch() && state.minibatch + 1 == state.minibatches;
    for (const auto& [name, mask] : regularizer_->threshold_masks(state.graph)) {
      state.graph.writable(name).mul_(mask);
      if (!keep_mask_ || !last) continue;
      const auto& before = state.graph.parameter(name).mask;
      prune::set_mask(state.graph, name, before.defined() ? before.mul(mask) : mask);
    }
  }

  void apply(const Changes& changes) override { regularizer_->apply(changes); }
  train::Memory save() const override { return {.values = {{"regularizer", regularizer_->save()}}}; }
  void load(const train::Memory& memory) override { regularizer_->load(memory.values.at("regularizer")); }

private:
  std::unique_ptr<regularize::Regularizer> regularizer_;
  bool keep_mask_;
};

}  // namespace

std::unique_ptr<Policy> make_regularization_policy(const PolicyEntry& entry) {
  auto regularizer = read_component(regularize::regularizers(), entry.component, entry.instance);
  Settings settings;
  bool keep_mask = false;
  settings.optional("keep_mask", keep_mask,
                    "with a threshold criterion: the masks of the last mini-batch stay for good");
  read_arguments(settings, entry.args, fmt::format("the policy of regularizer '{}'", entry.instance), {});
  check_in(entry.args, [&] {
    if (keep_mask && !regularizer->thresholds())
      throw request_error("'keep_mask' has nothing to keep: regularizer '{}' has no 'threshold_criteria'",
                          entry.instance);
  });
  return std::make_unique<RegularizationPolicy>(std::move(regularizer), keep_mask);
}

}  // namespace compress::schedule
