#include "prune/level.h"

#include <ATen/ops/ones_like.h>

#include <cmath>

namespace compress::prune {

at::Tensor level_mask(const at::Tensor& weight, double level) {
  const auto magnitudes = weight.detach().abs().flatten();
  const auto count = static_cast<int64_t>(level * static_cast<double>(magnitudes.numel()));
  auto mask = at::ones_like(magnitudes);
  if (count > 0) mask.index_fill_(0, magnitudes.argsort(/*stable=*/true, /*dim=*/0).slice(0, 0, count), 0);
  return mask.view(weight.sizes());
}

void GradualLevel::declare(Settings& settings) {
  settings.required("initial_sparsity", initial, "share removed in the first active epoch", half_open(0, 1));
  settings.required("final_sparsity", final, "share removed in the last active epoch", half_open(0, 1));
}

void GradualLevel::check(const Moment& moment) const {
  if (final <= initial)
    throw request_error("'final_sparsity' ({}) must be above 'initial_sparsity' ({})", final, initial);
  if (moment.count < 2)
    throw request_error(
        "a gradual pruner needs at least two active epochs to go from 'initial_sparsity' to 'final_sparsity', not {}",
        moment.count)
        .hint("widen the policy's epochs, or use a pruner with a fixed level");
}

double GradualLevel::at(const Moment& moment) const {
  const double done = static_cast<double>(moment.index) / static_cast<double>(moment.count - 1);
  return final + (initial - final) * std::pow(1 - done, 3);
}

}  // namespace compress::prune
