#include "early_exit/path_cost.h"

#include "analysis/cost.h"

#include <algorithm>
#include <map>
#include <set>

namespace compress::early_exit {

namespace {

/// Which nodes a sample has been through, and what they cost.
class Path {
public:
  explicit Path(const Graph& graph) : graph_(graph) {
    for (const auto& node : analysis::cost(graph).nodes) costs_[node.name] = node.macs;
  }

  /// Adds what a graph output needs. Gives the sum so far.
  int64_t add(const std::string& output) {
    const auto found = std::ranges::find(graph_.outputs, output, &GraphOutput::name);
    std::vector<std::string> values{found->value};
    while (!values.empty()) {
      const auto* node = graph_.producer(values.back());
      values.pop_back();
      if (!node || !passed_.insert(node->name).second) continue;
      macs_ += costs_.at(node->name);
      values.insert(values.end(), node->inputs.begin(), node->inputs.end());
    }
    return macs_;
  }

  void restart() {
    passed_.clear();
    macs_ = 0;
  }

private:
  const Graph& graph_;
  std::map<std::string, int64_t> costs_;
  std::set<std::string> passed_;
  int64_t macs_ = 0;
};

}  // namespace

std::vector<int64_t> path_macs(const Graph& graph, const Exits& exits) {
  Path path(graph);
  std::vector<int64_t> macs;
  for (const auto& branch : exits.branches) macs.push_back(path.add(branch.output));
  macs.push_back(path.add(exits.final_output));
  return macs;
}

void order_by_cost(const Graph& graph, Exits& exits) {
  Path path(graph);
  std::map<std::string, int64_t> alone;
  for (const auto& branch : exits.branches) {
    path.restart();
    alone[branch.name] = path.add(branch.output);
  }
  std::ranges::stable_sort(exits.branches, {}, [&](const Exit& exit) { return alone.at(exit.name); });
}

}  // namespace compress::early_exit
