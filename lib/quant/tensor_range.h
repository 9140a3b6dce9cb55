#pragma once

#include "ops/quantization_grid.h"

/// Ranges of one tensor that is at hand: a weight, or a batch of values (Distiller's q_utils, distiller.md 2.2). What
/// sees batch after batch is an observer.
namespace compress::quant {

/// Throws a request error when a minimum is above its maximum, or when one of them is not finite.
void check_range(const at::Tensor& min, const at::Tensor& max);

/// The range [-saturation, saturation]. Throws a request error when the saturation is negative or not finite.
ops::ValueRange symmetric_range(const at::Tensor& saturation);

/// Smallest and largest element of everything (axis -1) or per index of an axis. Here and below: throws a request error
/// when the tensor lacks the axis.
ops::ValueRange min_max(const at::Tensor& x, int64_t axis);

/// The mean over an axis (the samples) of each one's smallest and largest element; axis -1: min_max() of everything.
ops::ValueRange averaged_min_max(const at::Tensor& x, int64_t axis);

/// Largest magnitude, and its mean over an axis.
at::Tensor max_abs(const at::Tensor& x, int64_t axis);
at::Tensor averaged_max_abs(const at::Tensor& x, int64_t axis);

/// The part of [min, max] within n standard deviations (divisor N - 1) of the mean. Throws a request error when n is
/// not positive.
ops::ValueRange n_std_range(const at::Tensor& x, double n);

}  // namespace compress::quant
