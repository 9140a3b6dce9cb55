#include "ops/floating_grid.h"

#include "core/error.h"
#include "core/text.h"
#include "ops/quantization_grid.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/frexp.h>
#include <ATen/ops/maximum.h>

#include <array>
#include <cmath>
#include <vector>

namespace compress::ops {

namespace {

const std::array<FloatFormat, 4>& float_formats() {
  static const std::array<FloatFormat, 4> all{{{"bfloat16", 7, -126, std::ldexp(255, 120), at::kBFloat16},
                                               {"float16", 10, -14, 65504, at::kHalf},
                                               {"float8_e4m3", 3, -6, 448, at::kFloat8_e4m3fn},
                                               {"float8_e5m2", 2, -14, 57344, at::kFloat8_e5m2}}};
  return all;
}

}  // namespace

const FloatFormat& float_format(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& format : float_formats()) {
    if (format.name == name) return format;
    names.emplace_back(format.name);
  }
  throw request_error("unknown number format '{}'", name)
      .hint(did_you_mean(name, names))
      .hint("allowed are " + join_words(names));
}

at::Tensor float_rounded(const at::Tensor& x, const FloatFormat& format) {
  const at::NoGradGuard no_grad;
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

at::Tensor float_quantize(const at::Tensor& x, const at::Tensor& scale, int64_t axis, const FloatFormat& format) {
  const at::NoGradGuard no_grad;
  const auto spread = along_axis(scale, axis, x.dim()).to(x.scalar_type());
  return float_rounded(x.div(spread), format).mul_(spread);
}

}  // namespace compress::ops
