#include "prune/norm.h"

#include <ATen/core/Tensor.h>

#include <cmath>

namespace compress::prune {

void Norm::declare(Settings& settings) {
  settings.optional("mean", mean_, "divide by the number of weights, so that structures of different size compare");
}

at::Tensor Norm::strengths(const Candidate& candidate) const {
  const auto elements =
      candidate.granularity.gather(candidate.graph.parameter(candidate.parameter).value.detach().abs());
  if (elements.size(1) == 1) return elements.squeeze(1);
  const auto norms = std::isinf(p_) ? elements.amax(1) : p_ == 1 ? elements.sum(1) : elements.norm(p_, {1});
  return mean_ ? norms.div(static_cast<double>(elements.size(1))) : norms;
}

}  // namespace compress::prune
