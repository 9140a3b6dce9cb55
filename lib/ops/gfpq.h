#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

/// GFPQ, the number format of HiSilicon's NNIE: a sign and a level of an exponential scale. Steps are even in the
/// logarithm: 16 an octave with 8 bits (128 levels), 128 an octave with 16 bits (1408 levels). One number a tensor, the
/// mark z, says where the scale lies: level k is 2^((z + k) / steps). Bit for bit the vendor's library libgfpq 1.1.5 on
/// single precision (vectors: tests/golden/gfpq.json).
namespace compress::ops {

struct GfpqFormat {
  int steps;     ///< in an octave
  int highest;   ///< the last level
  int sign_bit;  ///< set in the codes of negative numbers; alone it is the code of zero
};

/// Throws a request error when bits are neither 8 nor 16.
GfpqFormat gfpq_format(int bits);

/// The mark of a tensor: floor(steps * log2(max|x|)) - highest, so that no level exceeds the largest magnitude. Not-a-
/// numbers are passed over. 8 bits: limited to [-511, 511], as in the library. Where all is zero the library takes
/// 1e-6 for the largest magnitude (seen with 8 bits: -446). With 16 bits an infinity counts as the largest number of
/// single precision. Marks of several batches join as their maximum.
int64_t gfpq_mark(const at::Tensor& x, int bits);
int64_t gfpq_mark(double largest_magnitude, int bits);

/// All levels, lowest first: [highest + 1], double precision.
at::Tensor gfpq_levels(int64_t mark, int bits);

/// The nearest levels in the logarithm, as codes (32-bit integers): level k is k, its negative k + sign_bit, zero is
/// sign_bit. There is no negative level 0 (its code is zero's). What is smaller than half of the lowest level becomes
/// zero, not-a-number too; what is beyond the highest level becomes it.
at::Tensor gfpq_encode(const at::Tensor& x, int64_t mark, int bits);

/// The numbers of codes of any integer type. Throws a request error when a code has no level (16 bits: 1408 to 32767).
at::Tensor gfpq_decode(const at::Tensor& codes, int64_t mark, int bits, at::ScalarType type = at::kFloat);

/// Encodes and decodes; the type stays. No gradient.
at::Tensor gfpq_quantize(const at::Tensor& x, int64_t mark, int bits);

}  // namespace compress::ops
