#pragma once

#include "ops/quantization_grid.h"

/// Floating-point formats of few bits as grids: IEEE's and Google's halves, and the two 8-bit formats of ONNX
/// (FLOAT8E4M3FN, FLOAT8E5M2; https://onnx.ai/onnx/technical/float8.html).
namespace compress::ops {

/// A format with gradual underflow; magnitudes are (1 + m / 2^mantissa_bits) * 2^e.
struct FloatFormat {
  int mantissa_bits;
  int lowest_exponent;  ///< of normal numbers
  double largest;       ///< finite number
  at::ScalarType type;  ///< that holds the numbers
};

/// Of the formats float8_e4m3, float8_e5m2, float16 and bfloat16.
const FloatFormat& float_format(GridFormat format);

/// The nearest numbers of the format, halfway cases to the even mantissa; the tensor's type stays. Whatever is beyond
/// the largest finite number becomes it, infinities too, in all four formats (ONNX's Cast with saturate = 1; a plain
/// conversion gives infinity, or not-a-number in float8_e4m3). Not-a-number and the sign of zero stay. Rounds once,
/// also from double precision, where LibTorch's conversion to 8 bits rounds to single precision before. No gradient.
at::Tensor float_rounded(const at::Tensor& x, const FloatFormat& format);

/// The scale that puts the ends of [min, max] on the largest number of the format: absmax / largest; 1 for an empty
/// range.
at::Tensor float_scale(const at::Tensor& min, const at::Tensor& max, const FloatFormat& format);

}  // namespace compress::ops
