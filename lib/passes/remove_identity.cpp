#include "passes/pass.h"

namespace compress::passes {

namespace {

/// Nodes that do nothing to their input outside training. Only the first output is looked at: Dropout's mask has no
/// reader in deployment.
class RemoveIdentity final : public Pass {
public:
  void declare(Settings& settings) override {
    settings.optional("dropout", dropout_, "remove Dropout too, which does nothing outside training");
  }

  Changes run(Graph& graph) override {
    std::vector<std::string> names;
    for (const Node& node : std::as_const(graph).nodes())
      if (does_nothing(graph, node)) names.push_back(node.name);
    for (const auto& name : names) {
      graph.replace_uses(name, graph.node(name).inputs.front());
      graph.erase(name);
    }
    Changes changes{.nodes_changed = static_cast<int64_t>(names.size())};
    if (!names.empty()) changes.removed = graph.erase_unused_parameters();
    return changes;
  }

private:
  bool does_nothing(const Graph& graph, const Node& node) const {
    if (node.op != "Identity" && !(dropout_ && node.op == "Dropout")) return false;
    for (int k = 1; k < node.outputs; ++k)
      if (!graph.consumers(node.output(k)).empty() || graph.is_output(node.output(k))) return false;
    return true;
  }

  bool dropout_ = true;
};

}  // namespace

extern const Entry<Pass> remove_identity{"remove_identity",
                                         "removes nodes that do nothing in deployment (Identity, Dropout)",
                                         make_component<Pass, RemoveIdentity>};

}  // namespace compress::passes
