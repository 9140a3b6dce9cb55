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
    settings.optional("levels", levels, "replaces the pruner's levels", half_open(0, 1));
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

/// The first that both have; "" when there is none.
std::string first_in_both(const std::vector<std::string>& some, const std::vector<std::string>& others) {
  const auto found = std::ranges::find_first_of(some, others);
  return found == some.end() ? "" : *found;
}

/// Asks the pruner for masks at the beginning of each active epoch (and, if told so, between) and applies them. Weights
/// that are masked for the forward pass only are kept aside while their masked form is validated and saved, and come
/// back with the next epoch.
///
/// What other pruners removed in earlier epochs stays removed. What comes back begins at zero, also in the optimiser's
/// state.
class PruningPolicy final : public Policy {
public:
  PruningPolicy(std::unique_ptr<prune::Pruner> pruner, PruningArguments arguments)
      : pruner_(std::move(pruner)), arguments_(std::move(arguments)) {}

  bool compresses() const override { return true; }

  void bind(const Graph& graph, const Binding&, Problems& problems) override {
    pruner_->bind(graph, problems);
    if (arguments_.fold_batchnorm && problems.empty()) require_batch_norms(graph, pruner_->parameters(), problems);
  }

  std::vector<std::string> uncoupled() const override { return pruner_->uncoupled(); }

  void check_with(const Policy& earlier, Problems& problems) const override {
    const auto* other = dynamic_cast<const PruningPolicy*>(&earlier);
    if (!other) return;
    const auto both = first_in_both(pruner_->parameters(), other->pruner_->parameters());
    if (both.empty()) return;
    if (other->instance == instance) same_ = other;
    // In the epoch in which the earlier one ends the later one may begin: it finds the masks that were set last.
    const bool settled = window.first_epoch() == other->window.last_epoch() && other->sets_last_masks_at_once();
    const bool apart =
        window.first_epoch() > other->window.last_epoch() || window.last_epoch() < other->window.first_epoch();
    if (apart || settled) return;
    problems.add(request_error("'{}' is pruned by '{}' ({}, {}) and by '{}' ({}, {}): one would undo the masks of the "
                               "other",
                               both, other->instance, other->window.str(), other->place.str(), instance, window.str(),
                               place.str())
                     .at(place)
                     .hint("let one of them end before the other begins, or give them different 'weights'"));
  }

  void on_epoch_begin(train::State& state) override {
    put_back(state.graph);
    holding_ = arguments_.holds_weights();
    waiting_ = (arguments_.skip_first_minibatch && state.epoch == window.first_epoch()) || !try_masks(state);
    if (!holding_) apply_masks(state.graph);
  }

  void on_minibatch_begin(train::State& state) override {
    put_back(state.graph);
    const bool due = masks_due(state) && try_masks(state);
    if (due) waiting_ = false;
    if (arguments_.double_copies) put_aside(state.graph);
    if (due || holding_) apply_masks(state.graph);
  }

  void before_parameter_optimization(train::State& state) override {
    at::NoGradGuard no_grad;
    if (arguments_.double_copies) put_back(state.graph);
    pruner_->observe(state.graph);
    if (!arguments_.mask_gradients) return;
    for (const auto& name : pruner_->parameters()) {
      const auto& parameter = state.graph.parameter(name);
      if (parameter.mask.defined() && parameter.value.grad().defined())
        parameter.value.mutable_grad().mul_(parameter.mask);
    }
  }

  void on_minibatch_end(train::State& state) override {
    const bool last = state.minibatch + 1 >= state.minibatches;
    if (waiting_ && last && state.epoch == window.last_epoch()) set_late_masks(state);
    if (arguments_.discard_masks) return drop_masks(state.graph);
    if (!arguments_.forward_only || !last) return;
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

  std::vector<std::string> exchanges() const override {
    return arguments_.holds_weights() ? pruner_->parameters() : std::vector<std::string>{};
  }

  bool masks_forward_only(std::string_view parameter) const override {
    return holding_ && arguments_.forward_only &&
           std::ranges::find(pruner_->parameters(), parameter) != pruner_->parameters().end();
  }

  void apply(const Changes& changes) override {
    pruner_->apply(changes);
    train::follow_changes(unmasked_, changes);
    train::follow_changes(removed_before_, changes);
  }

  train::Memory save() const override {
    const auto own = pruner_->save();
    train::Memory memory{.values = {{"pruner", own.values}, {"holding", holding_}, {"began", began_}}};
    for (const auto& [name, tensor] : own.tensors) memory.tensors["pruner/" + name] = tensor;
    for (const auto& [name, tensor] : unmasked_) memory.tensors["unmasked/" + name] = tensor;
    for (const auto& [name, tensor] : removed_before_) memory.tensors["removed/" + name] = tensor;
    return memory;
  }

  void load(const train::Memory& memory) override {
    train::Memory own{.values = memory.values.at("pruner"), .tensors = part(memory, "pruner/")};
    holding_ = memory.values.at("holding").get<bool>();
    began_ = memory.values.value("began", false);
    unmasked_ = part(memory, "unmasked/");
    removed_before_ = part(memory, "removed/");
    pruner_->load(own);
  }

private:
  /// True when nothing changes its masks after the beginning of its last epoch.
  bool sets_last_masks_at_once() const {
    const bool waits = window.count() == 1 && (arguments_.skip_first_minibatch || !pruner_->ready());
    return !waits && arguments_.every_minibatches == 0 && !arguments_.discard_masks && !arguments_.holds_weights();
  }

  static std::map<std::string, at::Tensor> part(const train::Memory& memory, std::string_view prefix) {
    std::map<std::string, at::Tensor> found;
    for (const auto& [name, tensor] : memory.tensors)
      if (name.starts_with(prefix)) found[name.substr(prefix.size())] = tensor.clone();
    return found;
  }

  bool masks_due(const train::State& state) const {
    if (waiting_) return state.minibatch > 0;
    return arguments_.every_minibatches > 0 && state.minibatch > 0 && state.step % arguments_.every_minibatches == 0;
  }

  /// False when the pruner has not observed enough yet.
  bool try_masks(train::State& state) {
    pruner_->collect(state);
    if (!pruner_->ready()) return false;
    set_masks(state);
    return true;
  }

  /// The window ends, and the pruner was not ready when masks could be set.
  void set_late_masks(train::State& state) {
    if (!try_masks(state))
      throw run_error("pruner '{}' has seen too few mini-batches in {} to set masks", instance, window.str())
          .at(place)
          .hint("more epochs, or fewer 'steps' of its criterion");
    waiting_ = false;
    if (!holding_) apply_masks(state.graph);
  }

  void set_masks(train::State& state) {
    at::NoGradGuard no_grad;
    const prune::Moment moment{.index = window.index(state.epoch),
                               .count = window.count(),
                               .epoch = state.epoch,
                               .first_epoch = window.first_epoch(),
                               .frequency = window.spacing(),
                               .step = state.step,
                               .seed = state.seed};
    begin(state.graph);
    std::map<std::string, at::Tensor> earlier;
    for (const auto& name : pruner_->parameters()) earlier[name] = state.graph.parameter(name).mask;
    if (arguments_.fold_batchnorm) {
      auto folded = with_folded_weights(state.graph, pruner_->parameters());
      pruner_->set_masks(folded, moment);
      for (const auto& name : pruner_->parameters()) state.graph.parameter(name).mask = folded.parameter(name).mask;
    } else {
      pruner_->set_masks(state.graph, moment);
    }
    for (const auto& [name, mask] : earlier) {
      keep_removed(state.graph.parameter(name));
      if (!holding_ && mask.defined()) begin_at_zero(state, name, mask);
    }
    pruner_->adjust(state);
  }

  /// Before its first masks: notes what others removed.
  void begin(Graph& graph) {
    if (std::exchange(began_, true)) return;
    if (same_ && same_->began_) {
      removed_before_ = same_->removed_before_;
      return;
    }
    for (const auto& name : pruner_->parameters())
      if (const auto& mask = graph.parameter(name).mask; mask.defined()) removed_before_[name] = mask;
  }

  void keep_removed(Parameter& parameter) const {
    const auto before = removed_before_.find(parameter.name);
    if (before == removed_before_.end()) return;
    const auto mask = before->second.to(parameter.value.device());
    parameter.mask = parameter.mask.defined() ? parameter.mask.mul(mask) : mask;
  }

  /// Momentum that a weight had before it was removed would throw it about when it comes back.
  static void begin_at_zero(train::State& state, const std::string& name, const at::Tensor& earlier) {
    const auto& mask = state.graph.parameter(name).mask;
    auto back = earlier.eq(0);
    if (mask.defined()) back = back.logical_and_(mask.ne(0));
    if (!back.any().item<bool>()) return;
    for (auto& [slot, tensor] : state.optimizer.state())
      if (slot.substr(slot.find('/') + 1) == name && tensor.sizes() == back.sizes()) tensor.masked_fill_(back, 0);
  }

  void apply_masks(Graph& graph) const {
    for (const auto& name : pruner_->parameters()) prune::apply_mask(graph, graph.parameter(name));
  }

  void drop_masks(Graph& graph) const {
    for (const auto& name : pruner_->parameters()) {
      graph.parameter(name).mask = at::Tensor();
      keep_removed(graph.parameter(name));
    }
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
  bool waiting_ = false;  ///< masks of this epoch are still to be set
  bool began_ = false;
  std::map<std::string, at::Tensor> unmasked_;
  std::map<std::string, at::Tensor> removed_before_;  ///< masks that other pruners left
  mutable const PruningPolicy* same_ = nullptr;       ///< of the same pruner, earlier in the recipe
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
  check_in(entry.component,
           [&] { pruner->check({.count = entry.window.count(), .frequency = entry.window.spacing()}); });
  return std::make_unique<PruningPolicy>(std::move(pruner), std::move(arguments));
}

}  // namespace compress::schedule
