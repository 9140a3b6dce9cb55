#include "prune/pruner.h"
#include "schedule/batch_norm_fold.h"
#include "schedule/policies.h"
#include "train/follow_changes.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace compress::schedule {

namespace {

/// The arguments of a pruner's policy, with Distiller's names.
struct PruningArguments {
  std::map<std::string, double> levels;
  bool keep_mask = false;
  int64_t every_minibatches = 0;
  bool forward_only = false, mask_gradients = false, double_copies = false;
  bool discard_masks = false, skip_first_minibatch = false, fold_batchnorm = false;

  /// The weights outside the forward pass are not the masked ones.
  bool holds_weights() const { return forward_only || double_copies; }

  void declare(Settings& settings) {
    settings.optional("levels", levels, "replaces the pruner's levels", in(0, 1));
    settings.optional("keep_mask", keep_mask,
                      "after the last epoch: mask for good what was masked for the forward pass only");
    settings.optional("mini_batch_pruning_frequency", every_minibatches,
                      "also set masks every so many mini-batches; 0: once an epoch", at_least(0));
    settings.optional("mask_on_forward_only", forward_only,
                      "do not mask weights again after the optimiser's step: they may grow back");
    settings.optional("mask_gradients", mask_gradients, "multiply gradients by the masks");
    settings.optional("use_double_copies", double_copies, "run with masked weights, update the unmasked ones");
    settings.optional("discard_masks_at_minibatch_end", discard_masks, "drop the masks after each mini-batch");
    settings.optional("skip_first_minibatch", skip_first_minibatch,
                      "first masks after one mini-batch (when gradients exist)");
    settings.optional("fold_batchnorm", fold_batchnorm,
                      "rank convolution weights as they are with batch-norm folded in");
  }

  void check(const Window& window) const {
    Problems problems;
    if (mask_gradients && !forward_only)
      problems.add(request_error("'mask_gradients' needs 'mask_on_forward_only: true'")
                       .hint("weights that are masked after each step need no masked gradients"));
    const bool gaps = window.count() != window.last_epoch() - window.first_epoch() + 1;
    const auto needs_all = [&](bool asked, const char* name) {
      if (asked && gaps)
        problems.add(request_error("'{}' needs a policy that is active in every epoch of its window", name)
                         .hint("frequency: 1"));
    };
    needs_all(every_minibatches > 0, "mini_batch_pruning_frequency");
    needs_all(forward_only, "mask_on_forward_only");
    needs_all(double_copies, "use_double_copies");
    problems.raise();
  }
};

/// Asks the pruner for masks at the beginning of each active epoch (and, if told so, between) and applies them. Weights
/// that are masked for the forward pass only are kept aside while their masked form is validated and saved, and come
/// back with the next epoch.
class PruningPolicy final : public Policy {
public:
  PruningPolicy(std::unique_ptr<prune::Pruner> pruner, PruningArguments arguments)
      : pruner_(std::move(pruner)), arguments_(std::move(arguments)) {}

  bool compresses() const override { return true; }

  void bind(const Graph& graph, const Binding&, Problems& problems) override {
    pruner_->bind(graph, problems);
    if (arguments_.fold_batchnorm && problems.empty()) require_batch_norms(graph, pruner_->parameters(), problems);
  }

  void on_epoch_begin(train::State& state) override {
    put_back(state.graph);
    holding_ = arguments_.holds_weights();
    const bool wait = arguments_.skip_first_minibatch && state.epoch == window.first_epoch();
    if (!wait) set_masks(state);
    if (!holding_) apply_masks(state.graph);
  }

  void on_minibatch_begin(train::State& state) override {
    put_back(state.graph);
    const bool due = masks_due(state);
    if (due) set_masks(state);
    if (arguments_.double_copies) put_aside(state.graph);
    if (due || holding_) apply_masks(state.graph);
  }

  void before_parameter_optimization(train::State& state) override {
    at::NoGradGuard no_grad;
    for (const auto& name : pruner_->parameters()) {
      const auto& parameter = state.graph.parameter(name);
      if (arguments_.mask_gradients && parameter.mask.defined() && parameter.value.grad().defined())
        parameter.value.mutable_grad().mul_(parameter.mask);
    }
    if (arguments_.double_copies) put_back(state.graph);
  }

  void on_minibatch_end(train::State& state) override {
    if (arguments_.discard_masks) return drop_masks(state.graph);
    if (!arguments_.forward_only || state.minibatch + 1 < state.minibatches) return;
    put_aside(state.graph);
    apply_masks(state.graph);
  }

  void on_epoch_end(train::State& state) override {
    if (state.epoch != window.last_epoch()) return;
    holding_ = false;
    if (!arguments_.forward_only) return;
    if (arguments_.keep_mask) return unmasked_.clear();
    put_back(state.graph);
    drop_masks(state.graph);
  }

  bool masks_forward_only(std::string_view parameter) const override {
    return holding_ && arguments_.forward_only &&
           std::ranges::find(pruner_->parameters(), parameter) != pruner_->parameters().end();
  }

  void apply(const Changes& changes) override {
    pruner_->apply(changes);
    train::follow_changes(unmasked_, changes);
  }

  train::Memory save() const override {
    train::Memory memory{.values = {{"pruner", pruner_->save()}, {"holding", holding_}}};
    for (const auto& [name, tensor] : unmasked_) memory.tensors["unmasked/" + name] = tensor;
    return memory;
  }

  void load(const train::Memory& memory) override {
    pruner_->load(memory.values.at("pruner"));
    holding_ = memory.values.at("holding").get<bool>();
    unmasked_.clear();
    constexpr std::string_view kPrefix = "unmasked/";
    for (const auto& [name, tensor] : memory.tensors) unmasked_[name.substr(kPrefix.size())] = tensor.clone();
  }

private:
  bool masks_due(const train::State& state) const {
    if (arguments_.skip_first_minibatch && state.epoch == window.first_epoch()) {
      if (state.minibatch == 0) return false;
      if (state.minibatch == 1) return true;
    }
    return arguments_.every_minibatches > 0 && state.minibatch > 0 && state.step % arguments_.every_minibatches == 0;
  }

  void set_masks(train::State& state) {
    at::NoGradGuard no_grad;
    const prune::Moment moment{.index = window.index(state.epoch),
                               .count = window.count(),
                               .epoch = state.epoch,
                               .step = state.step,
                               .seed = state.seed};
    if (!arguments_.fold_batchnorm) return pruner_->set_masks(state.graph, moment);
    auto folded = with_folded_weights(state.graph, pruner_->parameters());
    pruner_->set_masks(folded, moment);
    for (const auto& name : pruner_->parameters()) state.graph.parameter(name).mask = folded.parameter(name).mask;
  }

  void apply_masks(Graph& graph) const {
    for (const auto& name : pruner_->parameters()) prune::apply_mask(graph, graph.parameter(name));
  }

  void drop_masks(Graph& graph) const {
    for (const auto& name : pruner_->parameters()) graph.parameter(name).mask = at::Tensor();
  }

  void put_aside(Graph& graph) {
    for (const auto& name : pruner_->parameters()) unmasked_[name] = graph.parameter(name).value.detach().clone();
  }

  void put_back(Graph& graph) {
    at::NoGradGuard no_grad;
    for (const auto& [name, value] : unmasked_) graph.writable(name).copy_(value);
    unmasked_.clear();
  }

  std::unique_ptr<prune::Pruner> pruner_;
  PruningArguments arguments_;
  bool holding_ = false;  ///< the true weights are the unmasked ones
  std::map<std::string, at::Tensor> unmasked_;
};

}  // namespace

std::unique_ptr<Policy> make_pruning_policy(const PolicyEntry& entry) {
  auto pruner = read_component(prune::pruners(), entry.component, entry.instance);
  Settings settings;
  PruningArguments arguments;
  arguments.declare(settings);
  read_arguments(settings, entry.args, fmt::format("the policy of pruner '{}'", entry.instance), {});
  check_in(entry.args, [&] { arguments.check(entry.window); });
  check_in(entry.args, [&] {
    if (!arguments.levels.empty() && !pruner->set_levels(arguments.levels))
      throw request_error("'levels' are those of a SparsityLevelParameterPruner; {} has none", entry.class_name);
  });
  check_in(entry.component, [&] { pruner->check({.count = entry.window.count()}); });
  return std::make_unique<PruningPolicy>(std::move(pruner), std::move(arguments));
}

}  // namespace compress::schedule
