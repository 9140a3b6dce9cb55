#pragma once

#include "ops/op.h"

namespace compress::ops {

/// An axis counted from the front, for a value with `rank` axes. Throws a request error when it is outside.
int64_t axis_of(int64_t axis, int64_t rank);
std::vector<int64_t> axes_of(std::vector<int64_t> axes, int64_t rank);

/// The product of the sizes; the largest integer when it is larger than that.
int64_t elements(std::span<const int64_t> sizes);

/// NumPy's rule. Throws a request error with both shapes when they do not fit.
Shape broadcast(const Shape& a, const Shape& b);

/// A Shape of a tensor.
Shape shape_of(const at::Tensor& tensor);

// ---- shape inference that several operators share
// ------------------------------------------------------------------------------

/// The output is as the first input.
std::vector<ValueInfo> infer_same(const InferCall& call);
/// All inputs broadcast; type of the first.
std::vector<ValueInfo> infer_broadcast(const InferCall& call);

/// Throws a request error unless input i has `rank` axes at least.
void require_rank(const InferCall& call, size_t i, size_t rank);

}  // namespace compress::ops
