#pragma once

#include "ops/quantization_grid.h"

namespace compress::quant {

/// Numbers whose quantisation error is measured: a tensor as it is, or a histogram's bin centres with `weights` saying
/// how many numbers each stands for.
struct Sample {
  at::Tensor values;        ///< floating point, any shape
  at::Tensor weights = {};  ///< of the same shape; undefined: each counts once
};

/// Values behind a ReLU: LAPQ measures the non-zero ones only, since 0 is on every grid.
Sample without_zeros(const Sample& sample);

/// The mean of |x - Q(x)|^p, Q being the grid over [low, high] (ops::make_grid).
double lp_error(const Sample& sample, const ops::GridSpec& spec, double p, double low, double high);

/// A range to clip to, and the error there.
struct Clip {
  double low = 0, high = 0, error = 0;
};

/// The range with the least lp_error, inside that of the values and 0 (Nahshan et al. 2019, "Loss Aware Post-training
/// Quantization": layer-wise optimisation). Symmetric grids: one bound, [-a, a] or, unsigned, [0, a]. Asymmetric ones:
/// the range's length, then each bound in turn. Each search scans, then runs Brent's method around the best place.
/// Among equals the widest. Without values, or of zeros only, it is [0, 0].
///
/// Throws a request error when p is not positive or shapes differ, a run error when a value is not finite.
Clip lp_optimal_clip(const Sample& sample, const ops::GridSpec& spec, double p);

}  // namespace compress::quant
