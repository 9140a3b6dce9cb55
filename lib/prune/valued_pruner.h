#pragma once

#include "graph/select.h"
#include "prune/pruner.h"

#include <map>
#include <string>
#include <vector>

namespace compress::prune {

/// A pruner that goes by one number per parameter (a threshold, a level), given by name or pattern. The derived class
/// declares the argument that fills `words_` and makes the masks.
class ValuedPruner : public Pruner {
public:
  /// `word` is what the numbers are called in a checkpoint.
  explicit ValuedPruner(std::string word) : word_(std::move(word)) {}

  void bind(const Graph& graph, Problems& problems) override;
  const std::vector<std::string>& parameters() const override { return values_.names; }
  void apply(const Changes& changes) override;
  nlohmann::json save() const override;
  void load(const nlohmann::json& state) override;

protected:
  std::map<std::string, double> words_;  ///< as the recipe has them
  ParameterValues values_;               ///< after bind()

private:
  std::string word_;
};

}  // namespace compress::prune
