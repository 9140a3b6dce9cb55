#include "quant/insertion/grids.h"

#include "ops/quantization_role.h"
#include "quant/rules/grid_rule.h"
#include "quant/runtime/runtime.h"

#include <algorithm>
#include <map>
#include <set>

namespace compress::quant {
namespace {

using ops::Quantization;

/// Does this activation take over the output of the node before it?
bool melts(const Graph& graph, const Node& node) {
  if (ops::quantization_role(node) != Quantization::activation) return false;
  const auto& value = node.inputs[0];
  const auto* producer = graph.producer(value);
  if (producer == nullptr || graph.is_output(value) || graph.consumers(value).size() != 1) return false;
  const auto role = ops::quantization_role(*producer);
  return role != Quantization::same_grid && role != Quantization::quantizer;
}

/// Finds the values with a grid, then joins those that share one.
class GridFinder {
public:
  GridFinder(const Graph& graph, const InsertionOptions& options)
      : graph_(graph), options_(options), infos_(ops::infer(graph)) {
    for (const auto& node : graph.nodes()) {
      nodes_.push_back(&node);
      roles_[&node] = role_under(node, options);
    }
    if (options.outputs != OutputGrids::none)
      for (const auto& output : graph.outputs) want(output.value);
    for (const auto* node : nodes_) want_outputs(*node);
    for (const auto* node : nodes_ | std::views::reverse) want_inputs(*node);
    for (const auto* node : nodes_) join(*node);
  }

  std::vector<SharedGrid> grids() {
    std::vector<SharedGrid> grids;
    std::map<std::string, size_t> index;
    for (const auto& name : computed()) {
      const auto [place, added] = index.try_emplace(leader(name), grids.size());
      if (added) grids.emplace_back();
      grids[place->second].values.push_back(name);
    }
    for (auto& grid : grids) grid = shared_grid(graph_, options_, grid.values, readers(grid.values[0]));
    std::erase_if(grids, [](const SharedGrid& grid) { return !grid.rule.quantised(); });
    return grids;
  }

private:
  Quantization role(const Node& node) const { return roles_.find(&node)->second; }

  bool floating(const std::string& name) const {
    const auto* info = name.empty() ? nullptr : infos_.find(name);
    return info != nullptr && info->type == at::kFloat;
  }
  void want(const std::string& name) {
    if (floating(name)) wanted_.insert(name);
  }

  /// What is on a grid whoever reads it.
  void want_outputs(const Node& node) {
    const auto own = ops::quantization_role(node);
    if (own == Quantization::same_grid || own == Quantization::quantizer) return;
    if (options_.outputs != OutputGrids::every_layer && options_.rules.find(node).computes_quantised()) return;
    for (int k = 0; k < node.outputs; ++k) {
      const auto readers = graph_.consumers(node.output(k));
      if (readers.size() != 1 || !melts(graph_, *readers.front())) want(node.output(k));
    }
  }

  void want_inputs(const Node& node) {
    if (role(node) != Quantization::same_grid && !options_.rules.find(node).quantize_inputs) return;
    switch (role(node)) {
    case Quantization::none: want_of_layers(node); return;
    case Quantization::quantizer: return;
    case Quantization::activation:
      if (melts(graph_, node)) return;
      break;
    case Quantization::same_grid:
      if (!makes_wanted(node)) return;
      for (const auto& input : node.inputs) want(input);
      return;
    case Quantization::weighted:
    case Quantization::arithmetic: break;
    }
    // Constants beside the data (weights, operands, slopes) have quantisers by other rules.
    for (const auto& input : node.inputs)
      if (graph_.find_parameter(input) == nullptr) want(input);
  }

  /// A layer that computes with integers puts out integers, also where the runtime or a rule lets its reader compute
  /// in floating point.
  void want_of_layers(const Node& reader) {
    if (ops::quantization_role(reader) == Quantization::none) return;
    for (const auto& input : reader.inputs)
      if (const auto* maker = graph_.producer(input); maker != nullptr && role(*maker) != Quantization::none)
        want(input);
  }

  bool makes_wanted(const Node& node) const {
    for (int k = 0; k < node.outputs; ++k)
      if (wanted_.contains(node.output(k))) return true;
    return false;
  }

  void join(const Node& node) {
    if (role(node) != Quantization::same_grid || !makes_wanted(node)) return;
    std::string first;
    const auto unite = [&](const std::string& name) {
      if (!wanted_.contains(name)) return;
      if (first.empty()) first = leader(name);
      parent_[leader(name)] = first;
    };
    for (const auto& input : node.inputs) unite(input);
    for (int k = 0; k < node.outputs; ++k) unite(node.output(k));
  }

  std::string leader(std::string name) const {
    for (auto found = parent_.find(name); found != parent_.end() && found->second != name; found = parent_.find(name))
      name = found->second;
    return name;
  }

  /// The wanted values in topological order, without those that are merely moved.
  std::vector<std::string> computed() const {
    std::vector<std::string> names;
    for (const auto& parameter : graph_.parameters()) names.push_back(parameter.name);
    for (const auto& input : graph_.inputs) names.push_back(input.name);
    for (const auto* node : nodes_)
      for (int k = 0; k < node->outputs && role(*node) != Quantization::same_grid; ++k)
        names.push_back(node->output(k));
    std::erase_if(names, [&](const std::string& name) { return !wanted_.contains(name); });
    return names;
  }

  bool computes_quantised(const Node& node) const {
    return role(node) != Quantization::none && options_.rules.find(node).quantize_inputs;
  }

  /// The layers that compute with one of the values on this value's grid.
  std::vector<GridReader> readers(const std::string& value) const {
    std::vector<GridReader> readers;
    for (const auto* node : nodes_) {
      if (ops::quantization_role(*node) == Quantization::same_grid) continue;
      for (size_t i = 0; i < node->inputs.size(); ++i)
        if (wanted_.contains(node->inputs[i]) && leader(node->inputs[i]) == leader(value))
          readers.push_back({node, static_cast<int64_t>(i), computes_quantised(*node)});
    }
    return readers;
  }

  const Graph& graph_;
  const InsertionOptions& options_;
  ops::Infos infos_;
  std::vector<const Node*> nodes_;
  std::map<const Node*, Quantization> roles_;
  std::set<std::string> wanted_;
  std::map<std::string, std::string> parent_;
};

}  // namespace

std::vector<SharedGrid> find_grids(const Graph& graph, const InsertionOptions& options) {
  Problems problems;
  refuse_quantised(graph, problems);
  problems.raise();
  return GridFinder(graph, options).grids();
}

std::vector<LayerName> owners(const Graph& graph, const std::string& value) {
  const auto* producer = graph.producer(value);
  if (producer == nullptr) return {{value, ""}};
  std::vector<LayerName> names{layer_name(*producer)};
  if (melts(graph, *producer)) names.push_back(layer_name(*graph.producer(producer->inputs[0])));
  return names;
}

bool rectified(const Graph& graph, const std::string& value) {
  const auto* maker = graph.producer(value);
  if (maker == nullptr) return false;
  if (maker->op == "Clip") return maker->attributes.number("min", -1) >= 0;
  return maker->op == "Relu" || maker->op == "Sigmoid" || maker->op == "HardSigmoid";
}

void refuse_quantised(const Graph& graph, Problems& problems) {
  for (const auto& node : graph.nodes()) {
    if (ops::op_of(node).quantization != Quantization::quantizer) continue;
    problems.add(request_error("the model is quantised already: node '{}' is a {}", node.name, node.op)
                     .hint("start from the floating-point model"));
    return;
  }
}

ops::Quantization role_under(const Node& node, const InsertionOptions& options) {
  const auto role = ops::quantization_role(node);
  if (role == Quantization::none || role == Quantization::quantizer) return role;
  if (options.runtime != nullptr && !options.runtime->quantises(node.op)) return Quantization::none;
  return options.rules.find(node).computes_quantised() ? role : Quantization::none;
}

}  // namespace compress::quant
