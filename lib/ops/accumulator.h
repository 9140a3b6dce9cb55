#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

/// Sums of products in a register of few bits, simulated (`bits_accum` of Distiller's PostTrainLinearQuantizer).
namespace compress::ops {

/// The integers of an accumulator: -2^(bits-1) to 2^(bits-1) - 1.
struct AccumulatorRange {
  double low, high;
};

/// Throws a request error when bits are not 2 to 32.
AccumulatorRange accumulator_range(int64_t bits);

/// The sums where the register saturates. They are integers, or with a scale (input scale times weight scale; one
/// number, axis -1, or one per index of the axis) real values on its grid. Give double precision where sums exceed
/// 2^24.
at::Tensor clamp_accumulator(const at::Tensor& sums, int64_t bits);
at::Tensor clamp_accumulator(const at::Tensor& sums, int64_t bits, const at::Tensor& scale, int64_t axis);

}  // namespace compress::ops
