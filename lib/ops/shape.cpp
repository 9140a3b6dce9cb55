#include "ops/shape.h"

#include "core/text.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace compress::ops {

int64_t axis_of(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    throw request_error("axis {} is outside a value with {} axes", axis, rank)
        .hint(fmt::format("allowed are {} to {}", -rank, rank - 1));
  return axis < 0 ? axis + rank : axis;
}

std::vector<int64_t> axes_of(std::vector<int64_t> axes, int64_t rank) {
  for (auto& axis : axes) axis = axis_of(axis, rank);
  return axes;
}

int64_t elements(std::span<const int64_t> sizes) {
  int64_t count = 1;
  for (const auto size : sizes)
    if (__builtin_mul_overflow(count, size, &count)) return std::numeric_limits<int64_t>::max();
  return count;
}

Shape broadcast(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < result.size(); ++i) {  // i counts from the last axis
    const auto x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const auto y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      throw request_error("shapes {} and {} do not fit together element by element", shape_text(a), shape_text(b))
          .hint("counted from the last axis, sizes must be equal or 1");
    result[result.size() - 1 - i] = x == 1 ? y : x;
  }
  return result;
}

Shape shape_of(const at::Tensor& tensor) {
  return tensor.sizes().vec();
}

std::vector<ValueInfo> infer_same(const InferCall& call) {
  return {call.in(0)};
}

std::vector<ValueInfo> infer_broadcast(const InferCall& call) {
  ValueInfo result = call.in(0);
  for (size_t i = 1; i < call.inputs.size(); ++i)
    if (call.has(i)) result.shape = broadcast(result.shape, call.shape(i));
  return {result};
}

void require_rank(const InferCall& call, size_t i, size_t rank) {
  if (call.shape(i).size() < rank)
    throw request_error("input {} has shape {}, but at least {} axes are needed", i, shape_text(call.shape(i)), rank);
}

}  // namespace compress::ops
