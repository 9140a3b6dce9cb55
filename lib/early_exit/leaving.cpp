#include "early_exit/leaving.h"

#include <ATen/ops/ones.h>

#include <cmath>

namespace compress::early_exit {

at::Tensor normalized_entropy(const at::Tensor& logits) {
  const auto shares = logits.to(at::kDouble).softmax(1);
  const auto entropy = shares.xlogy(shares).sum(1).neg();
  return logits.size(1) > 1 ? entropy.div(std::log(static_cast<double>(logits.size(1)))) : entropy;
}

at::Tensor leaves(const at::Tensor& logits, double threshold) {
  // The entropy of equal logits is 1 up to rounding.
  if (threshold >= 1) return at::ones({logits.size(0)}, logits.options().dtype(at::kBool));
  return normalized_entropy(logits).lt(threshold);
}

}  // namespace compress::early_exit
