#include "core/text.h"
#include "graph/graph.h"

#include <algorithm>

namespace compress {

namespace {

using Order = std::vector<std::unique_ptr<Node>>;

/// Depth-first over producers, so that nodes which are in order already keep it.
class Sorter {
public:
  Sorter(const Graph& graph, size_t count) : graph_(graph) { order_.reserve(count); }

  void visit(const Node& node) {
    State& state = states_[&node];
    if (state == State::done) return;
    if (state == State::open) refuse(node);
    state = State::open;
    path_.push_back(&node);
    for (const auto& input : node.inputs)
      if (const Node* producer = graph_.producer(input)) visit(*producer);
    path_.pop_back();
    states_[&node] = State::done;
    order_.push_back(&node);
  }
  const std::vector<const Node*>& order() const { return order_; }

private:
  enum class State { fresh, open, done };

  [[noreturn]] void refuse(const Node& node) const {
    std::vector<std::string> names;
    for (auto at = std::ranges::find(path_, &node); at != path_.end(); ++at) names.push_back("'" + (*at)->name + "'");
    names.push_back("'" + node.name + "'");
    throw request_error("'{}' has a cycle: {}", graph_.name, join(names, " -> "))
        .hint("a network's nodes may not read, even indirectly, what they make");
  }

  const Graph& graph_;
  std::unordered_map<const Node*, State> states_;
  std::vector<const Node*> path_, order_;
};

}  // namespace

void Graph::sort() {
  Sorter sorter(*this, nodes_.size());
  for (const Node& node : std::as_const(*this).nodes()) sorter.visit(node);
  std::unordered_map<const Node*, size_t> rank;
  for (size_t i = 0; i < sorter.order().size(); ++i) rank[sorter.order()[i]] = i;
  std::ranges::sort(nodes_, {}, [&](const auto& node) { return rank[node.get()]; });
  touch();
}

}  // namespace compress
