#include "analysis/structure_norm.h"

#include <ATen/ops/linalg_vector_norm.h>

#include <limits>

namespace compress::analysis {

at::Tensor structure_norms(const at::Tensor& structures, Norm norm) {
  const auto of_order = [&](double order) { return at::linalg_vector_norm(structures, order, 1); };
  const auto elements = static_cast<double>(structures.size(1));
  switch (norm) {
  case Norm::l1: return of_order(1);
  case Norm::l2: return of_order(2);
  case Norm::maximum: return of_order(std::numeric_limits<double>::infinity());
  case Norm::mean_l1: return of_order(1).div(elements);
  case Norm::mean_l2: return of_order(2).div(elements);
  }
  return {};
}

at::Tensor threshold_mask(const at::Tensor& weight, const Granularity& granularity, Norm norm, double threshold) {
  const auto detached = weight.detach();
  const auto stays = structure_norms(granularity.gather(detached), norm).gt(threshold).to(weight.scalar_type());
  return granularity.scatter(stays, weight.sizes()).contiguous(detached.suggest_memory_format());
}

}  // namespace compress::analysis
