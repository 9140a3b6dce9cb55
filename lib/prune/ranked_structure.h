#pragma once

#include "prune/pruner.h"
#include "prune/structure.h"

#include <optional>
#include <string>
#include <vector>

namespace compress::prune {

/// What the pruners share that remove the structures of smallest mean magnitude: arguments, binding, masks.
class RankedStructure {
public:
  void declare(Settings& settings);
  void bind(const Graph& graph, Problems& problems);
  const std::vector<std::string>& parameters() const { return names_; }

  /// Masks every parameter to this share of removed structures. With `group_dependency: Leader` the first parameter is
  /// ranked, and all get its map, which is kept until the share changes.
  void set_masks(Graph& graph, double share, const Moment& moment);

  void apply(const Changes& changes);
  nlohmann::json save() const;
  void load(const nlohmann::json& state);

private:
  enum class Dependency { none, leader };
  struct LeaderMap {
    double share;
    std::vector<float> map;
  };

  at::Tensor ranked_map(const at::Tensor& weight, const std::string& name, double share, const Moment& moment) const;
  at::Tensor leader_map(const Graph& graph, double share, const Moment& moment);
  void check_leader(const Graph& graph) const;

  Group group_ = Group::filters;
  Dependency dependency_ = Dependency::none;
  Rounding rounding_ = Rounding::floor;
  double noise_ = 0;
  int64_t group_size_ = 1;
  std::vector<std::string> words_, names_;
  Yaml kwargs_;
  std::optional<LeaderMap> leader_;
};

}  // namespace compress::prune
