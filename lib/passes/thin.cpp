// Removes the channels that pruning made useless. The thinned network computes, in evaluation, what the masked one
// does: a channel goes only when that is provable (dead_channels.h), together with everything coupled to it
// (analysis/coupled_channels.h). A branch whose contribution to an addition became constant goes as a whole
// (constant_branches.h). During training a removed constant channel could have come back through its
// batch-norm's beta; that is what removal means.
#include "analysis/weight.h"
#include "core/log.h"
#include "ops/op.h"
#include "passes/constant_branches.h"
#include "passes/dead_channels.h"
#include "passes/drop_batchnorm.h"
#include "passes/linear_layer.h"
#include "passes/pass.h"
#include "passes/remove_channels.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace compress::passes {

namespace {

using analysis::CoupledChannels;

enum class BatchNorm { exact, drop };

/// The output channels of a layer with a weight, to tell before from after.
struct Layer {
  std::string node;
  std::string weight;
  int axis = 0;
  int64_t channels = 0;
};

std::vector<Layer> layers_of(const Graph& graph) {
  std::vector<Layer> layers;
  for (const Node& node : graph.nodes()) {
    const ops::Op& op = ops::op_of(node);
    const Parameter* weight = analysis::weight_of(graph, node);
    if (!weight || !op.weight_axis) continue;
    const int axis = op.weight_axis(node);
    if (axis >= weight->value.dim()) continue;  // a product with a list has no output channels
    layers.push_back({node.name, weight->name, axis, weight->value.size(axis)});
  }
  return layers;
}

/// Adds what the removed channels contributed to the bias of a layer, in a bias of its own.
void add_to_bias(Graph& graph, Node& node, const at::Tensor& constants, Changes& changes) {
  const at::Tensor share = constants / node.attributes.number("beta", 1);
  const std::string present = node.has_input(2) ? node.inputs[2] : "";
  if (!present.empty() && graph.consumers(present).size() == 1) {
    Parameter& bias = graph.parameter(present);
    if (bias.mask.defined()) bias.mask = bias.mask.masked_fill(share.ne(0), 1).expand_as(share).contiguous();
    const bool requires_grad = bias.value.requires_grad();
    graph.assign(present, (bias.value.detach() + share).flatten().set_requires_grad(requires_grad));
    return;
  }
  std::string stem = analysis::weight_of(graph, node)->name;
  if (stem.ends_with(".weight")) stem.resize(stem.size() - std::string_view(".weight").size());
  const at::Tensor value = present.empty() ? share : (graph.parameter(present).value.detach() + share).flatten();
  const auto& bias = graph.add_parameter({.name = graph.unique_name(stem + ".bias"), .value = value});
  node.inputs.resize(3);
  node.inputs[2] = bias.name;
  graph.touch();
  changes.added.push_back(bias.name);
  ++changes.nodes_changed;
}

/// The outputs that stay of a tensor with one element per output of the node.
at::Tensor
kept_outputs(const at::Tensor& constants, const ops::ChannelMap& map, size_t axis, const std::vector<bool>& removed) {
  if (map[axis].empty()) return constants;
  at::Tensor kept = constants.new_empty(constants.sizes(), at::kBool);
  for (size_t o = 0; o < map[axis].size(); ++o) kept.data_ptr<bool>()[o] = !removed[static_cast<size_t>(map[axis][o])];
  return constants.masked_select(kept);
}

class Thin final : public Pass {
public:
  void declare(Settings& settings) override {
    settings.choice(
        "batch_norm", batch_norm_, {{"exact", BatchNorm::exact}, {"drop", BatchNorm::drop}},
        "exact: only channels that are provably constant go; drop: a filter that is all zero also loses its bias and "
        "the "
        "gamma and beta of the batch-norm behind it (Distiller's FilterRemover), which changes the function");
  }

  bool thins() const override { return true; }

  Changes run(Graph& graph) override {
    const at::NoGradGuard no_grad;
    if (batch_norm_ == BatchNorm::drop) drop_batchnorm_of_zero_filters(graph);
    Changes changes = remove_constant_branches(graph);
    if (analysis::has_heads(graph)) changes.append(remove_dead(graph, analysis::Heads::whole));
    changes.append(remove_dead(graph, analysis::Heads::within));
    if (changes.empty()) log::warning("[thin] nothing was removed: no channel is constant or unread");
    return changes;
  }

private:
  Changes remove_dead(Graph& graph, analysis::Heads heads) const {
    const CoupledChannels channels(graph, heads);
    const DeadChannels dead = find_dead_channels(graph, channels);
    if (heads == analysis::Heads::within) {
      for (const auto& note : dead.notes) log::info("[thin] {}", note);
      if (!dead.notes.empty() && batch_norm_ == BatchNorm::exact)
        log::info(
            "[thin] 'batch_norm: drop' removes the constant ones behind zero filters too, with the bias, gamma and "
            "beta that make their constant; that changes the function, so train on after it");
      report_blocked(graph, channels, dead);
    }
    if (dead.classes == 0) return {};
    const auto before = layers_of(graph);
    Changes changes = remove_channels(graph, channels, dead.removed);
    fold_constants(graph, channels, dead, changes);
    for (auto& name : graph.erase_unused_parameters()) changes.removed.push_back(std::move(name));
    report(graph, before);
    return changes;
  }

  static void
  fold_constants(Graph& graph, const CoupledChannels& channels, const DeadChannels& dead, Changes& changes) {
    for (const auto& [name, constants] : dead.constants) {
      Node& node = graph.node(name);
      const ops::ChannelMap& map = channels.map(name);
      const at::Tensor kept = kept_outputs(constants, map, channel_axis(node, map.size()), dead.removed);
      if (kept.count_nonzero().item<int64_t>() > 0) add_to_bias(graph, node, kept, changes);
    }
  }

  static void report(const Graph& graph, const std::vector<Layer>& before) {
    for (const auto& layer : before) {
      const int64_t now = graph.parameter(layer.weight).value.size(layer.axis);
      if (now != layer.channels) log::info("[thin] {}: {} -> {} channels", layer.node, layer.channels, now);
    }
  }

  /// Zero filters that stay because their channels cannot be removed.
  static void report_blocked(const Graph& graph, const CoupledChannels& channels, const DeadChannels& dead) {
    for (const auto& layer : layers_of(graph)) {
      const at::Tensor& weight = graph.parameter(layer.weight).value;
      const at::Tensor zero = weight.ne(0).transpose(0, layer.axis).flatten(1).any(1).logical_not().contiguous();
      const ops::Atoms& atoms = channels.map(layer.weight)[static_cast<size_t>(layer.axis)];
      int64_t staying = 0;
      std::string why;
      for (size_t o = 0; o < atoms.size(); ++o) {
        if (!zero.const_data_ptr<bool>()[o] || dead.removed[static_cast<size_t>(atoms[o])]) continue;
        ++staying;
        if (why.empty()) why = channels.pool().blocked(atoms[o]);
      }
      if (staying > 0)
        log::info("[thin] {}: {} zero filters stay: {}", layer.node, staying,
                  why.empty() ? "other layers make the same channels, or read the constant they leave" : why);
    }
  }

  BatchNorm batch_norm_ = BatchNorm::exact;
};

}  // namespace

extern const Entry<Pass> thin{"thin", "removes channels that pruning made constant or unread, exactly",
                              make_component<Pass, Thin>};

}  // namespace compress::passes
