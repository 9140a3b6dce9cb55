#include "quant/grids.h"

#include "ops/op.h"

#include <algorithm>
#include <map>
#include <set>

namespace compress::quant {
namespace {

using ops::Quantization;

Quantization role(const Node& node) {
  return ops::op_of(node).quantization;
}

/// Does this activation take over the output of the node before it?
bool melts(const Graph& graph, const Node& node) {
  if (role(node) != Quantization::activation) return false;
  const auto& value = node.inputs[0];
  const auto* producer = graph.producer(value);
  if (producer == nullptr || graph.is_output(value) || graph.consumers(value).size() != 1) return false;
  return role(*producer) != Quantization::same_grid && role(*producer) != Quantization::quantizer;
}

/// Finds the values with a grid, then joins those that share one.
class GridFinder {
public:
  GridFinder(const Graph& graph, OutputGrids outputs) : graph_(graph), infos_(ops::infer(graph)) {
    if (outputs == OutputGrids::all)
      for (const auto& output : graph.outputs) want(output.value);
    std::vector<const Node*> nodes;
    for (const auto& node : graph.nodes()) nodes.push_back(&node);
    for (const auto* node : nodes | std::views::reverse) want_inputs(*node);
    for (const auto* node : nodes) join(*node);
  }

  std::vector<SharedGrid> grids() {
    std::vector<SharedGrid> grids;
    std::map<std::string, size_t> index;
    for (const auto& name : computed()) {
      const auto [place, added] = index.try_emplace(leader(name), grids.size());
      if (added) grids.emplace_back();
      grids[place->second].values.push_back(name);
    }
    return grids;
  }

private:
  bool floating(const std::string& name) const {
    const auto* info = name.empty() ? nullptr : infos_.find(name);
    return info != nullptr && info->type == at::kFloat;
  }
  void want(const std::string& name) {
    if (floating(name)) wanted_.insert(name);
  }

  void want_inputs(const Node& node) {
    switch (role(node)) {
    case Quantization::none:
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
    // Constants beside the data (weights, batch-norm statistics, slopes) have quantisers by other rules, or none.
    for (const auto& input : node.inputs)
      if (graph_.find_parameter(input) == nullptr) want(input);
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
    for (const auto& node : graph_.nodes())
      for (int k = 0; k < node.outputs && role(node) != Quantization::same_grid; ++k) names.push_back(node.output(k));
    std::erase_if(names, [&](const std::string& name) { return !wanted_.contains(name); });
    return names;
  }

  const Graph& graph_;
  ops::Infos infos_;
  std::set<std::string> wanted_;
  std::map<std::string, std::string> parent_;
};

}  // namespace

std::vector<SharedGrid> find_grids(const Graph& graph, OutputGrids outputs) {
  Problems problems;
  refuse_quantised(graph, problems);
  problems.raise();
  return GridFinder(graph, outputs).grids();
}

std::vector<std::string> owners(const Graph& graph, const std::string& value) {
  const auto* producer = graph.producer(value);
  if (producer == nullptr) return {value};
  std::vector<std::string> names{producer->name};
  if (melts(graph, *producer)) names.push_back(graph.producer(producer->inputs[0])->name);
  return names;
}

void refuse_quantised(const Graph& graph, Problems& problems) {
  for (const auto& node : graph.nodes()) {
    if (role(node) != Quantization::quantizer) continue;
    problems.add(request_error("the model is quantised already: node '{}' is a {}", node.name, node.op)
                     .hint("start from the floating-point model"));
    return;
  }
}

}  // namespace compress::quant
