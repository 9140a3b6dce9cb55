#pragma once

#include "prune/criterion.h"

namespace compress::prune {

/// The p-norm of a structure's weights; p may be infinite (the largest magnitude).
class Norm : public Criterion {
public:
  Norm() = default;
  explicit Norm(double p) : p_(p) {}
  void declare(Settings& settings) override;
  at::Tensor strengths(const Candidate& candidate) const override;

protected:
  double p_ = 1;

private:
  bool mean_ = false;
};

}  // namespace compress::prune
