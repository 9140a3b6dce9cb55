#pragma once

#include "analysis/granularity.h"
#include "core/settings.h"
#include "graph/select.h"
#include "train/hook.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace compress::regularize {

/// What is penalised as one: the structures of a granularity, or of several, of which each is then a term of its own
/// ('Rows+Cols').
struct Groups {
  Yaml written;
  std::vector<std::shared_ptr<const analysis::Granularity>> parts;

  /// Throws a request error when a weight of this shape has no such groups.
  void check(const std::string& parameter, at::IntArrayRef shape) const;
};

/// Reads Distiller's words (2D, Rows, Cols, Filters or 3D, Channels, 4D), the granularities' own names, several of them
/// joined by '+', or a map {class: block, shape: [4, 2]}. `what` names the value in messages.
Groups read_groups(const Yaml& value, std::string_view what);

/// A setting that is such a value.
Field groups_field(std::string name, Groups& target, std::string doc);

/// Distiller's `reg_regims` of group regularisers, {parameter name or pattern: [strength, groups]}, and what it means
/// for a graph.
class GroupRegimes {
public:
  struct Regime {
    double strength = 0;
    Groups groups;
  };

  /// The setting, of which `this` is the target.
  Field field();
  /// Resolves names and checks shapes.
  void bind(const Graph& graph, Problems& problems);
  const std::vector<std::string>& parameters() const { return chosen_.names; }
  const Regime& of(size_t parameter) const { return regimes_[static_cast<size_t>(chosen_.values[parameter])]; }

  void apply(const Changes& changes) { follow(chosen_, changes); }
  train::Memory save() const;
  void load(const train::Memory& memory);

private:
  void read(const Yaml& value);

  std::vector<std::string> words_;
  std::vector<Regime> regimes_;  ///< as many
  ParameterValues chosen_;       ///< by parameter, the number of its regime
};

}  // namespace compress::regularize
