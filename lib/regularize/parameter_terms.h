#pragma once

#include "graph/select.h"
#include "regularize/regularizer.h"

#include <ATen/core/Tensor.h>

namespace compress::regularize {

/// A sum over parameters of strength times a number that depends on the parameter alone.
class ParameterTerms : public Regularizer {
public:
  at::Tensor loss(const Graph& graph) const override;
  const std::vector<std::string>& parameters() const override { return strengths_.names; }
  void apply(const Changes& changes) override { follow(strengths_, changes); }
  train::Memory save() const override;
  void load(const train::Memory& memory) override;

protected:
  /// Scalar, differentiable.
  virtual at::Tensor term(const at::Tensor& value) const = 0;

  ParameterValues strengths_;  ///< set by bind()
};

}  // namespace compress::regularize
