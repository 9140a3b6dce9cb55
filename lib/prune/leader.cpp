// Distiller's `group_dependency: Leader`: the first weight is ranked, and all others get its map.
#include "prune/independent.h"

#include <ATen/core/Tensor.h>

namespace compress::prune {

namespace {

class Leader final : public Independent {
public:
  void bind(const Graph& graph,
            std::vector<std::string>& names,
            const std::vector<std::string>& exact,
            const analysis::Granularity& granularity,
            Problems& problems) override {
    Independent::bind(graph, names, exact, granularity, problems);
    if (names.empty()) return;
    if (granularity.quota()) {
      problems.add(
          request_error("a leader cannot decide for others which of each few weights stay").hint("'dependency: none'"));
      return;
    }
    const auto lead = structures(graph, names.front());
    for (const auto& name : names)
      if (const auto have = structures(graph, name); have != lead)
        problems.add(request_error("'{}' cannot follow its leader '{}': it has {} structures, the leader {}", name,
                                   names.front(), have, lead));
  }

  std::vector<Unit> units(const Graph& graph, const Criterion& criterion, const Moment& moment) const override {
    if (names().empty()) return {};
    return {unit(graph, names().front(), criterion, moment)};
  }

  std::map<std::string, at::Tensor> masks(const Graph& graph, const std::vector<at::Tensor>& maps) const override {
    std::map<std::string, at::Tensor> masks;
    if (maps.empty()) return masks;
    const auto map = settled(graph, maps.front());
    for (const auto& name : names()) masks[name] = spread(graph, name, map.to(graph.parameter(name).value.device()));
    return masks;
  }

private:
  bool shares_one_map() const override { return true; }

  /// The map that is there as long as the number of those that stay is: weights move between two rankings, and what was
  /// zero stays zero.
  at::Tensor settled(const Graph& graph, const at::Tensor& map) const {
    const auto present = present_map(graph, names().front());
    if (!present.defined() || present.numel() != map.numel()) return map;
    const auto same = present.count_nonzero().item<int64_t>() == map.count_nonzero().item<int64_t>();
    return same ? present : map;
  }
};

}  // namespace

std::unique_ptr<Dependency> make_leader() {
  return std::make_unique<Leader>();
}

}  // namespace compress::prune
