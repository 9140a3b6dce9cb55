#pragma once

#include "core/settings.h"
#include "graph/graph.h"
#include "graph/select.h"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace compress::prune {

/// An argument that is one number for all weights, or a map of names and patterns with a number each.
class PerWeight {
public:
  PerWeight() = default;
  explicit PerWeight(std::map<std::string, double> words) : words_(std::move(words)) {}

  /// Declares the argument.
  void declare(Settings& settings, const std::string& name, const std::string& doc, Range range);
  /// Resolves names and patterns: every one must match, and every weight must get a number.
  void bind(const Graph& graph, const std::vector<std::string>& weights, Problems& problems);
  double of(const std::string& weight) const;

  void apply(const Changes& changes) { follow(values_, changes); }
  nlohmann::json save() const;
  void load(const nlohmann::json& state);

private:
  std::string name_;
  Yaml written_;
  std::optional<double> number_;
  std::map<std::string, double> words_;
  ParameterValues values_;
};

}  // namespace compress::prune
