#pragma once

#include "regularize/groups.h"
#include "regularize/regularizer.h"

namespace compress::regularize {

/// A sum over parameters of strength times a number made of the parameter's groups.
class GroupTerms : public Regularizer {
public:
  void declare(Settings& settings) override { settings.custom(regimes_.field()); }
  void bind(const Graph& graph, Problems& problems) override { regimes_.bind(graph, problems); }
  at::Tensor loss(const Graph& graph) const override;
  const std::vector<std::string>& parameters() const override { return regimes_.parameters(); }
  void apply(const Changes& changes) override { regimes_.apply(changes); }
  train::Memory save() const override { return regimes_.save(); }
  void load(const train::Memory& memory) override { regimes_.load(memory); }

protected:
  /// Scalar, differentiable, of the elements of each group, [groups, elements].
  virtual at::Tensor term(const at::Tensor& groups) const = 0;

  GroupRegimes regimes_;
};

}  // namespace compress::regularize
