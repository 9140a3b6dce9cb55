#pragma once

#include "ops/op.h"
#include "ops/resize_weights.h"

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

namespace compress::ops {

/// The axes that a Resize names, all when it names none.
Shape stated_axes(const Node& node, size_t rank);

/// Every axis of a value of this shape, with everything resolved. Throws a request error when sizes, scales or region
/// do not fit.
std::vector<ResizedAxis> resized_axes_of(const Node& node, const Shape& shape);

/// The same by LibTorch's own interpolation, which is faster; none where that computes something else.
std::optional<at::Tensor>
resized_by_torch(const at::Tensor& x, const ResizeRule& rule, const std::vector<ResizedAxis>& axes);

}  // namespace compress::ops
