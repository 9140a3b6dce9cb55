#pragma once

#include "ops/quantization_grid.h"

/// Scales as integer hardware can multiply by them.
namespace compress::ops {

/// The least powers of two that are not below the scales, which are positive: no range shrinks.
at::Tensor power_of_two(const at::Tensor& scale);

/// As make_grid(), but an asymmetric grid's zero point is not rounded, so that min falls on an integer and zero need
/// not (Distiller's asymmetric parameters without an integral zero point; where LSQ+ starts).
Grid make_fractional_grid(const at::Tensor& min, const at::Tensor& max, const GridSpec& spec);

/// A scale as an integer multiplication and a shift to the right (to the left, where negative).
struct FixedPointScale {
  at::Tensor multiplier, shift;  ///< integers, as double-precision numbers
  at::Tensor value;              ///< multiplier / 2^shift, double precision; exact
};

/// Distiller's approx_scale_as_mult_and_shift(): a re-quantisation scale as a multiplier of so many bits
/// (`scale_approx_mult_bits`): shift = floor(log2((2^bits - 1) / scale)), multiplier = floor(scale * 2^shift). It is
/// never above the scale, and below it by less than 2 / (2^bits - 1) of it. Throws a request error when bits are not 2
/// to 31 or when a scale is not a positive finite number.
FixedPointScale fixed_point_scale(const at::Tensor& scale, int64_t bits);

}  // namespace compress::ops
