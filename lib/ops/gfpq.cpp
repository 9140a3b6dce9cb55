#include "ops/gfpq.h"

#include "core/error.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace compress::ops {

GfpqFormat gfpq_format(int bits) {
  if (bits == 8) return {.steps = 16, .highest = 127, .sign_bit = 0x80};
  if (bits == 16) return {.steps = 128, .highest = 1407, .sign_bit = 0x8000};
  throw request_error("the number format GFPQ has 8 or 16 bits, not {}", bits);
}

int64_t gfpq_mark(double largest_magnitude, int bits) {
  const auto format = gfpq_format(bits);
  if (std::isnan(largest_magnitude) || largest_magnitude < 0)
    throw request_error("the largest magnitude of a tensor is {}", largest_magnitude)
        .hint("GFPQ needs a number that is not negative");
  constexpr double kNothing = 1e-6;  // what the library takes where all is zero
  const double largest = largest_magnitude == 0          ? kNothing
                         : std::isinf(largest_magnitude) ? static_cast<double>(std::numeric_limits<float>::max())
                                                         : largest_magnitude;
  const auto mark = static_cast<int64_t>(std::floor(format.steps * std::log2(largest))) - format.highest;
  return bits == 8 ? std::clamp<int64_t>(mark, -511, 511) : mark;
}

int64_t gfpq_mark(const at::Tensor& x, int bits) {
  if (x.numel() == 0) return gfpq_mark(0.0, bits);
  const auto magnitude = x.detach().to(at::kDouble).abs();
  return gfpq_mark(magnitude.masked_fill(magnitude.isnan(), 0).max().item<double>(), bits);
}

at::Tensor gfpq_levels(int64_t mark, int bits) {
  const auto format = gfpq_format(bits);
  auto levels = at::arange(format.highest + 1, at::kDouble);
  auto* level = levels.mutable_data_ptr<double>();
  // One by one, because vectorised powers may be one unit off in the last place.
  for (int k = 0; k <= format.highest; ++k) level[k] = std::exp2(static_cast<double>(k + mark) / format.steps);
  return levels;
}

at::Tensor gfpq_encode(const at::Tensor& x, int64_t mark, int bits) {
  const at::NoGradGuard no_grad;
  const auto format = gfpq_format(bits);
  const auto wide = x.to(at::kDouble);
  const auto level = wide.abs().log2_().mul_(format.steps).sub_(mark).add_(0.5).floor_();
  const double lowest = std::exp2(static_cast<double>(mark) / format.steps - 1);
  const double lowest_negative = std::exp2(static_cast<double>(mark + 1) / format.steps - 1);
  const auto negative = at::where(wide.lt(-lowest_negative), level.clamp(1, format.highest).add_(format.sign_bit),
                                  static_cast<double>(format.sign_bit));
  return at::where(wide.ge(lowest), level.clamp(0, format.highest), negative).to(at::kInt);
}

at::Tensor gfpq_decode(const at::Tensor& codes, int64_t mark, int bits, at::ScalarType type) {
  const at::NoGradGuard no_grad;
  const auto format = gfpq_format(bits);
  const auto code = codes.to(at::kLong), level = code.bitwise_and(format.sign_bit - 1);
  const auto wrong = code.lt(0).logical_or_(code.ge(2 * format.sign_bit)).logical_or_(level.gt(format.highest));
  if (wrong.any().item<bool>())
    throw request_error("the number {} is no code of GFPQ with {} bits", code.masked_select(wrong)[0].item<int64_t>(),
                        bits)
        .hint(fmt::format("allowed are 0 to {} and {} to {}", format.highest, format.sign_bit,
                          format.sign_bit + format.highest));
  const auto value = gfpq_levels(mark, bits).to(codes.device()).take(level);
  const auto with_sign = at::where(code.ge(format.sign_bit), value.neg(), value);
  return with_sign.masked_fill(code.eq(format.sign_bit), 0).to(type);
}

at::Tensor gfpq_quantize(const at::Tensor& x, int64_t mark, int bits) {
  return gfpq_decode(gfpq_encode(x, mark, bits), mark, bits, x.scalar_type());
}

}  // namespace compress::ops
