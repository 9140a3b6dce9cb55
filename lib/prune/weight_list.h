#pragma once

#include "core/settings.h"
#include "graph/graph.h"
#include "train/hook.h"

#include <string>
#include <vector>

namespace compress::prune {

/// The weights that a pruner works on: those that the recipe names, else those of all convolutional and linear layers.
class WeightList {
public:
  void declare(Settings& settings);
  void bind(const Graph& graph, Problems& problems);
  /// After bind().
  const std::vector<std::string>& names() const { return names_; }

  /// Follows renames and removals.
  void apply(const Changes& changes);
  nlohmann::json save() const;
  void load(const nlohmann::json& saved);

private:
  std::vector<std::string> words_, names_;
};

}  // namespace compress::prune
