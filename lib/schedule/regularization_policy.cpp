#include "prune/pruner.h"
#include "regularize/regularizer.h"
#include "schedule/policies.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <utility>

namespace compress::schedule {

namespace {

constexpr std::string_view kStatePrefix = "regularizer/";

/// Adds the regulariser's term to the loss; with a threshold criterion, zeroes weights after each mini-batch. Weights
/// that it changes for the forward pass only are put back before the optimiser's step.
class RegularizationPolicy final : public Policy {
public:
  RegularizationPolicy(std::unique_ptr<regularize::Regularizer> regularizer, bool keep_mask)
      : regularizer_(std::move(regularizer)), keep_mask_(keep_mask) {}

  bool compresses() const override { return regularizer_->thresholds(); }
  void bind(const Graph& graph, const Binding&, Problems& problems) override { regularizer_->bind(graph, problems); }

  void on_minibatch_begin(train::State& state) override {
    regularizer_->begin_minibatch(state.graph, {.step = state.step, .seed = state.seed});
    factors_ = regularizer_->forward_factors(state.graph);
    const at::NoGradGuard no_grad;
    for (const auto& [name, factor] : factors_) {
      auto& value = state.graph.writable(name);
      put_aside_[name] = value.detach().clone();
      value.mul_(factor);
    }
  }

  void before_backward_pass(train::State& state) override {
    const auto term = regularizer_->loss(state.graph);
    if (!term.defined()) return;
    state.loss = state.loss.add(term);
    state.loss_terms.emplace_back(class_name + "_loss", term.detach());
  }

  void before_parameter_optimization(train::State& state) override {
    const at::NoGradGuard no_grad;
    for (const auto& [name, weight] : std::exchange(put_aside_, {})) {
      auto& value = state.graph.writable(name);
      value.copy_(weight);
      if (value.grad().defined()) value.mutable_grad().mul_(factors_.at(name));
    }
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

  std::vector<std::string> exchanges() const override {
    return regularizer_->changes_forward() ? regularizer_->parameters() : std::vector<std::string>{};
  }

  void apply(const Changes& changes) override { regularizer_->apply(changes); }

  train::Memory save() const override {
    auto own = regularizer_->save();
    train::Memory memory{.values = {{"regularizer", std::move(own.values)}}, .tensors = {}};
    for (const auto& [name, tensor] : own.tensors) memory.tensors[std::string(kStatePrefix) + name] = tensor;
    return memory;
  }

  void load(const train::Memory& memory) override {
    train::Memory own{.values = memory.values.at("regularizer"), .tensors = {}};
    for (const auto& [name, tensor] : memory.tensors) own.tensors[name.substr(kStatePrefix.size())] = tensor;
    regularizer_->load(own);
  }

private:
  std::unique_ptr<regularize::Regularizer> regularizer_;
  bool keep_mask_;
  // Of the present mini-batch, by parameter.
  std::map<std::string, at::Tensor> factors_, put_aside_;
};

}  // namespace

std::unique_ptr<Policy> make_regularization_policy(const PolicyEntry& entry) {
  auto regularizer = read_component(regularize::regularizers(), entry.component, entry.instance);
  check_in(entry.component, [&] { regularizer->check(); });
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
