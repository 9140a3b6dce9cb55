#pragma once

#include "graph/graph.h"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace compress::prune {

/// Numbers of a weight that are measured at its first use and then stay as they are, over a resume too.
class MeasuredOnce {
public:
  using Numbers = std::vector<double>;

  /// What `measure` said when it was first asked for this weight.
  template <class MeasureWeight>
  const Numbers& of(const std::string& weight, MeasureWeight&& measure) {
    const auto known = numbers_.find(weight);
    return known != numbers_.end() ? known->second : numbers_.emplace(weight, measure()).first->second;
  }
  void apply(const Changes& changes);
  nlohmann::json save() const;
  void load(const nlohmann::json& state);

private:
  std::map<std::string, Numbers> numbers_;
};

}  // namespace compress::prune
