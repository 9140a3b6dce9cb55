#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "graph/graph.h"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace compress::regularize {

/// A term of the loss over parameters. One file and one line in regularizers.def each.
class Regularizer {
public:
  virtual ~Regularizer() = default;
  virtual void declare(Settings& settings) = 0;
  /// Resolves names and patterns against the graph; problems quote the word.
  virtual void bind(const Graph& graph, Problems& problems) = 0;
  /// Scalar, differentiable. Undefined when no parameter is left.
  virtual at::Tensor loss(const Graph& graph) const = 0;
  /// The masks (0/1, by parameter) that its threshold criterion sets after each mini-batch; none without a criterion.
  virtual std::map<std::string, at::Tensor> threshold_masks(const Graph&) const { return {}; }
  /// True when it has a threshold criterion.
  virtual bool thresholds() const { return false; }
  virtual const std::vector<std::string>& parameters() const = 0;
  /// Follows renames and removals.
  virtual void apply(const Changes& changes) = 0;
  /// What bind() found and later edits changed, for a resume.
  virtual nlohmann::json save() const = 0;
  virtual void load(const nlohmann::json& state) = 0;
};
const Registry<Regularizer>& regularizers();

}  // namespace compress::regularize
