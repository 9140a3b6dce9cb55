#pragma once

#include "analysis/granularity.h"

#include <ATen/core/Tensor.h>

namespace compress::analysis {

/// How the size of a structure is measured. The means divide by the number of elements (also that of the L2 norm, as
/// Distiller does).
enum class Norm { l1, l2, maximum, mean_l1, mean_l2 };

/// The norm of each row of what Granularity::gather() gives: [structures, elements] -> [structures]. Differentiable,
/// with gradient 0 where a structure is all zero.
at::Tensor structure_norms(const at::Tensor& structures, Norm norm);

/// A mask of the weight's shape and type: 1 where the norm of the element's structure is above `threshold`, else 0.
at::Tensor threshold_mask(const at::Tensor& weight, const Granularity& granularity, Norm norm, double threshold);

}  // namespace compress::analysis
