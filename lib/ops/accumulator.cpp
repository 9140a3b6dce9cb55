#include "ops/accumulator.h"

#include "core/error.h"
#include "ops/quantization_grid.h"

#include <cmath>

namespace compress::ops {

AccumulatorRange accumulator_range(int64_t bits) {
  if (bits < 2 || bits > 32) throw request_error("an accumulator of {} bits", bits).hint("allowed are 2 to 32 bits");
  const double reach = std::ldexp(1.0, static_cast<int>(bits) - 1);
  return {-reach, reach - 1};
}

at::Tensor clamp_accumulator(const at::Tensor& sums, int64_t bits) {
  const auto [low, high] = accumulator_range(bits);
  return sums.clamp(low, high);
}

at::Tensor clamp_accumulator(const at::Tensor& sums, int64_t bits, const at::Tensor& scale, int64_t axis) {
  const auto [low, high] = accumulator_range(bits);
  const auto spread = along_axis(scale, axis, sums.dim()).to(at::kDouble);
  return sums.clamp(spread.mul(low).to(sums.scalar_type()), spread.mul(high).to(sums.scalar_type()));
}

}  // namespace compress::ops
