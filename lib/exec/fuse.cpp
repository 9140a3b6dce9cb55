#include "exec/fuse.h"

#include "exec/folded_convolution.h"
#include "exec/output_grid.h"

#include <algorithm>
#include <map>
#include <set>

namespace compress::exec {

namespace {

class Grouping {
public:
  explicit Grouping(const FuseContext& context) : context_(context) {
    for (const auto& name : context.options.observe) kept_.insert(name);
    for (const auto& output : context.graph.outputs) kept_.insert(output.value);
    for (const Node& node : context.graph.nodes())
      for (const auto& input : node.inputs) readers_[input].push_back(&node);
  }

  std::vector<Group> run() {
    std::map<const Node*, Group> by_last;
    for (const Node& node : context_.graph.nodes()) {
      if (taken_.contains(&node) || is_constant(node)) continue;
      auto group = grow(node);
      for (const auto* member : group.nodes()) taken_.insert(member);
      by_last[&group.last()] = group;
    }
    std::vector<Group> groups;  // a group can run where its last node stands: all it reads has been made before
    for (const Node& node : context_.graph.nodes())
      if (const auto group = by_last.find(&node); group != by_last.end()) groups.push_back(group->second);
    return groups;
  }

private:
  bool is_constant(const Node& node) const { return context_.is_constant(node.output()); }

  Group grow(const Node& node) {
    Group group{.first = &node};
    if (trains(node) && node.op == "ConvBatchNormalization") return grow_folded(group);
    if (trains(node) && node.op == "Add") return grow_addition(group);
    const bool packed = context_.packs(node);
    const bool normalization = node.op == "BatchNormalization" && context_.options.optimize;
    if (!packed && !normalization) return group;
    if (node.op == "Conv" || node.op == "Gemm") take_batch_norm(group);
    if (node.op != "Gemm") take_addition(group);
    take_activation(group);
    return group;
  }

  /// In training, and optimised.
  bool trains(const Node& node) const {
    const auto& options = context_.options;
    return options.mode == Mode::train && options.optimize &&
           std::ranges::find(options.frozen, node.name) == options.frozen.end();
  }

  Group grow_folded(Group group) const {
    if (!is_folded_convolution(group)) return group;
    take_addition(group);
    take_activation(group);
    if (!group.add) take_quantizer(group);
    return group;
  }

  /// An addition alone is a kernel of its own.
  Group grow_addition(const Group& addition) const {
    auto group = addition;
    const auto& inputs = addition.first->inputs;
    if (inputs.size() != 2 || context_.is_constant(inputs[0]) || context_.is_constant(inputs[1]) ||
        !same_shape(inputs[0], inputs[1]))
      return addition;
    take_activation(group);
    take_quantizer(group);
    return group.quantizer ? group : addition;
  }

  void take_quantizer(Group& group) const {
    const Node* reader = only_reader(group.last());
    if (reader && trains(*reader) && OutputGrid::fits(*reader) && has_constants(*reader, 1)) group.quantizer = reader;
  }

  bool has_constants(const Node& node, size_t first) const {
    return std::ranges::all_of(node.inputs.begin() + static_cast<std::ptrdiff_t>(first), node.inputs.end(),
                               [&](const std::string& input) { return input.empty() || context_.is_constant(input); });
  }

  /// The node that alone reads a value which nobody else needs; null when there is none, or it belongs to another
  /// group.
  const Node* only_reader(const Node& node) const {
    if (node.outputs != 1 || kept_.contains(node.output())) return nullptr;
    const auto readers = readers_.find(node.output());
    if (readers == readers_.end() || readers->second.size() != 1) return nullptr;
    const Node* reader = readers->second.front();
    return taken_.contains(reader) || reader->outputs != 1 ? nullptr : reader;
  }

  void take_batch_norm(Group& group) const {
    const Node* reader = only_reader(group.last());
    if (!reader || reader->op != "BatchNormalization" || reader->inputs[0] != group.last().output()) return;
    if (has_constants(*reader, 1)) group.batch_norm = reader;
  }

  void take_addition(Group& group) const {
    const Node* reader = only_reader(group.last());
    if (!reader || reader->op != "Add" || reader->inputs.size() != 2) return;
    const auto& other = reader->inputs[reader->inputs[0] == group.last().output() ? 1 : 0];
    if (context_.is_constant(other) || !same_shape(group.last().output(), other)) return;
    group.add = reader;
    group.other = other;
  }

  bool same_shape(std::string_view a, std::string_view b) const {
    if (!context_.infos) return false;
    const auto *left = context_.infos->find(a), *right = context_.infos->find(b);
    return left && right && *left == *right;
  }

  void take_activation(Group& group) const {
    const Node* reader = only_reader(group.last());
    if (!reader || !ops::op_of(*reader).fused) return;
    if (!has_constants(*reader, 1) || reader->inputs[0] != group.last().output()) return;
    const auto fused = ops::op_of(*reader).fused(*reader);
    if (!fused) return;
    const bool clamps = fused->name == "relu" || fused->name == "hardtanh";
    // Behind an addition LibTorch's fused convolutions take Relu only; normalisation takes what limits.
    const bool adds = group.add || group.first->op == "Add", packed = context_.packs(*group.first);
    const bool possible = adds ? fused->name == "relu" : packed || clamps;
    if (possible) group.activation = reader;
  }

  const FuseContext& context_;
  std::set<std::string, std::less<>> kept_;  ///< values that must come into being
  std::map<std::string, std::vector<const Node*>, std::less<>> readers_;
  std::set<const Node*> taken_;
};

}  // namespace

std::vector<const Node*> Group::nodes() const {
  std::vector<const Node*> all;
  for (const Node* node : {first, batch_norm, add, activation, quantizer})
    if (node) all.push_back(node);
  return all;
}

const Node& Group::last() const {
  return *nodes().back();
}

std::vector<Group> group_nodes(const FuseContext& context) {
  return Grouping(context).run();
}

}  // namespace compress::exec
