#include "ops/floating_grid.h"

#include "core/error.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/frexp.h>
#include <ATen/ops/maximum.h>

#include <cmath>

namespace compress::ops {

const FloatFormat& float_format(GridFormat format) {
  static const FloatFormat e4m3{3, -6, 448, at::kFloat8_e4m3fn}, e5m2{2, -14, 57344, at::kFloat8_e5m2},
      half{10, -14, 65504, at::kHalf}, brain{7, -126, std::ldexp(255, 120), at::kBFloat16};
  switch (format) {
  case GridFormat::float8_e4m3: return e4m3;
  case GridFormat::float8_e5m2: return e5m2;
  case GridFormat::float16: return half;
  case GridFormat::bfloat16: return brain;
  case GridFormat::integer:
  case GridFormat::gfpq: break;
  }
  throw request_error("a floating-point format was expected");
}

at::Tensor float_rounded(const at::Tensor& x, const FloatFormat& format) {
  const at::NoGradGuard no_grad;
  // LibTorch converts from single precision as needed, and fast.
  if (x.scalar_type() == at::kFloat) return x.clamp(-format.largest, format.largest).to(format.type).to(at::kFloat);
  const auto near = x.to(at::kDouble).clamp(-format.largest, format.largest);
  const auto magnitude = near.abs().clamp_min_(std::ldexp(1.0, format.lowest_exponent));
  // magnitude = mantissa * 2^(exponent + 1) with a mantissa of [0.5, 1): the quotient is exactly that power of two.
  const auto step = magnitude.div(std::get<0>(at::frexp(magnitude))).mul_(std::ldexp(1.0, -format.mantissa_bits - 1));
  return near.div(step).round_().mul_(step).to(x.scalar_type());
}

at::Tensor float_scale(const at::Tensor& min, const at::Tensor& max, const FloatFormat& format) {
  const at::NoGradGuard no_grad;
  const auto scale = at::maximum(min.abs(), max.abs()).div(format.largest);
  return scale.masked_fill(scale.eq(0), 1);
}

}  // namespace compress::ops
