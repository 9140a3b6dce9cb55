#include "ops/integer_arithmetic.h"

#include <limits>

namespace compress::ops {

namespace {

template <class T>
std::pair<double, double> limits_of() {
  return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
}

}  // namespace

std::pair<double, double> grid_limits(at::ScalarType type) {
  switch (type) {
  case at::kByte: return limits_of<uint8_t>();
  case at::kChar: return limits_of<int8_t>();
  case at::kUInt16: return limits_of<uint16_t>();
  case at::kShort: return limits_of<int16_t>();
  default:
    throw request_error("values cannot be quantised to {}", c10::toString(type))
        .hint("allowed are uint8, int8, uint16 and int16");
  }
}

at::Tensor centred(const at::Tensor& q, const at::Tensor& zero_point) {
  const auto wide = q.to(at::kDouble);
  return zero_point.defined() ? wide.sub(zero_point.to(at::kDouble)) : wide;
}

at::Tensor requantized(const at::Tensor& sum, const at::Tensor& multiplier, const at::Tensor& zero_point) {
  const auto [low, high] = grid_limits(zero_point.scalar_type());
  const auto real = sum.mul(multiplier.to(at::kDouble)).add(zero_point.to(at::kDouble));
  return real.round().clamp(low, high).to(zero_point.scalar_type());
}

at::Tensor as_accumulator(const at::Tensor& sum) {
  return sum.to(at::kLong).to(at::kInt);
}

void require_bytes(const InferCall& call, std::span<const size_t> inputs) {
  for (const auto i : inputs)
    if (call.has(i) && call.in(i).type != at::kByte && call.in(i).type != at::kChar)
      throw request_error("input {} has the type {}", i, c10::toString(call.in(i).type))
          .hint("allowed are uint8 and int8");
}

}  // namespace compress::ops
