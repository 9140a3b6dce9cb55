#pragma once

#include "exec/batch_norm_loops.h"

#include <ATen/core/Tensor.h>

#include <functional>

namespace compress::exec {

/// What a training step of batch normalisation takes; `other` is undefined without addition.
struct BatchNormCall {
  at::Tensor x, gamma, beta, running_mean, running_variance, other;
  double epsilon = 1e-5;
  double momentum = 0.1;  ///< the share of the new statistics
  Clamp clamp = {};
  /// Training, without addition: what comes out of the clamp is put on the grid that this makes of its least and its
  /// greatest number. The gradient passes where the grid reaches, too.
  std::function<ops::Rounding(float low, float high)> grid = {};
};

/// True when the loops can run it: dense float32 on the CPU, channels innermost; `other` as x.
bool has_loops(const BatchNormCall& call);

/// Training: statistics of the batch, running ones updated. Differentiable in x, gamma, beta and other, also twice.
at::Tensor train_batch_norm(const BatchNormCall& call);
/// Evaluation with the running statistics; no gradient.
at::Tensor eval_batch_norm(const BatchNormCall& call);

}  // namespace compress::exec
