#pragma once

#include "prune/composition.h"

#include <map>
#include <string>

namespace compress::prune {

/// Distiller's pruners of single weights that have a number for each parameter, by name or pattern.
class ValuedPruner : public ComposedPruner {
public:
  void bind(const Graph& graph, Problems& problems) override;

protected:
  /// `argument` as Distiller calls it; it becomes `part_argument` of the amount called `amount`.
  ValuedPruner(std::string argument, std::string amount, std::string part_argument)
      : argument_(std::move(argument)), amount_(std::move(amount)), part_argument_(std::move(part_argument)) {}

  /// Further arguments of the amount, as its declare() calls them.
  virtual Yaml more_arguments() const { return Yaml::map(); }
  /// True when the number 0 means that a parameter is left alone.
  virtual bool spares_zero() const { return true; }

  Parts assemble() const override;
  Selection select(const Graph& graph, Problems& problems) const override;

  std::map<std::string, double> words_;  ///< as the recipe has them

private:
  std::string argument_, amount_, part_argument_;
};

}  // namespace compress::prune
