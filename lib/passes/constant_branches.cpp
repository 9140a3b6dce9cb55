#include "passes/constant_branches.h"

#include "core/log.h"
#include "ops/op.h"
#include "passes/known_values.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <set>
#include <span>

namespace compress::passes {

namespace {

bool is_known(const at::Tensor& value) {
  return value.defined() && at::isFloatingType(value.scalar_type()) && !value.isnan().any().item<bool>();
}

/// The value with every axis along which it does not change cut to one place and the axes in front left out: what an
/// addition broadcasts back. Undefined when it depends on more than one axis.
at::Tensor number_per_channel(const at::Tensor& value) {
  at::Tensor small = value;
  int long_axes = 0;
  for (int64_t axis = 0; axis < small.dim(); ++axis) {
    const at::Tensor first = small.slice(axis, 0, 1);
    if (small.eq(first).all().item<bool>()) small = first;
    long_axes += small.size(axis) > 1;
  }
  if (long_axes > 1) return {};
  while (small.dim() > 1 && small.size(0) == 1) small = small.squeeze(0);
  return small.contiguous().clone();
}

class ConstantBranches {
public:
  explicit ConstantBranches(Graph& graph) : graph_(graph), known_(graph) {
    for (const auto& input : graph.inputs) from_input_.insert(input.name);
    for (const Node& node : graph.nodes()) {
      const bool shape_only = node.op == "ExpandBatch";  // of its second input
      const auto read = std::span(node.inputs).first(shape_only ? 1 : node.inputs.size());
      if (std::ranges::none_of(read, [this](const auto& input) { return from_input_.contains(input); })) continue;
      for (int k = 0; k < node.outputs; ++k) from_input_.insert(node.output(k));
    }
  }

  Changes run() {
    std::vector<std::string> additions;
    for (const Node& node : graph_.nodes())
      if (node.op == "Add" && node.inputs.size() == 2) additions.push_back(node.name);
    for (const auto& name : additions) simplify(name);
    if (changes_.nodes_changed == 0) return {};
    erase_unread();
    for (auto& name : graph_.erase_unused_parameters()) changes_.removed.push_back(std::move(name));
    return std::move(changes_);
  }

private:
  void simplify(const std::string& name) {
    const Node& node = graph_.node(name);
    for (const size_t side : {0, 1}) {
      const std::string branch = node.inputs[side], other = node.inputs[1 - side];
      const Node* last = graph_.producer(branch);
      if (!last || !from_input_.contains(branch) || !is_known(known_.at(branch)) || is_known(known_.at(name))) continue;
      if (known_.at(branch).count_nonzero().item<int64_t>() == 0) {
        if (!known_.at(other).defined() || known_.at(other).sizes() != known_.at(name).sizes()) continue;
        log::info("[thin] {}: the branch that ends in {} adds nothing and goes", name, ops::describe(*last));
        graph_.replace_uses(name, other);
        graph_.erase(name);
        ++changes_.nodes_changed;
        return;
      }
      if (keep_constant(name, side, *last)) return;
    }
  }

  /// False when the constant is no number per channel.
  bool keep_constant(const std::string& name, size_t side, const Node& last) {
    const at::Tensor numbers = number_per_channel(known_.at(last.output()));
    if (!numbers.defined()) {
      log::info("[thin] {}: the branch that ends in {} is constant, but differs from place to place, and stays", name,
                ops::describe(last));
      return false;
    }
    log::info("[thin] {}: the branch that ends in {} is constant and becomes a parameter", name, ops::describe(last));
    const auto& parameter =
        graph_.add_parameter({.name = graph_.unique_name(last.name + ".constant"), .value = numbers});
    changes_.added.push_back(parameter.name);
    graph_.node(name).inputs[side] = parameter.name;
    graph_.touch();
    ++changes_.nodes_changed;
    return true;
  }

  void erase_unread() {
    std::vector<std::string> names;
    for (const Node& node : graph_.nodes()) names.push_back(node.name);
    for (const auto& name : std::views::reverse(names)) {
      const Node& node = graph_.node(name);
      bool read = false;
      for (int k = 0; k < node.outputs; ++k)
        read = read || !graph_.consumers(node.output(k)).empty() || graph_.is_output(node.output(k));
      if (read) continue;
      graph_.erase(name);
      ++changes_.nodes_changed;
    }
  }

  Graph& graph_;
  KnownValues known_;
  std::set<std::string> from_input_;  ///< values that are computed from the network's input, not from parameters alone
  Changes changes_;
};

}  // namespace

Changes remove_constant_branches(Graph& graph) {
  const at::NoGradGuard no_grad;
  return ConstantBranches(graph).run();
}

}  // namespace compress::passes
