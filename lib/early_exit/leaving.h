#pragma once

#include <ATen/core/Tensor.h>

namespace compress::early_exit {

/// Entropy of the softmax of each row of logits (batch x classes) over that of the uniform distribution: 0 is sure of
/// one class, 1 knows nothing. NaN where a logit is.
at::Tensor normalized_entropy(const at::Tensor& logits);

/// Which samples leave with these logits: those whose normalised entropy is below the threshold; with a threshold of 1
/// all of them. No labels are needed. A sample whose logits are no numbers goes on.
at::Tensor leaves(const at::Tensor& logits, double threshold);

}  // namespace compress::early_exit
