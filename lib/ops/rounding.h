#pragma once

namespace compress::ops {

/// A grid of integers with one scale, as loops take it; low and high are relative to the zero point.
struct Rounding {
  float scale = 1, low = 0, high = 0;
};

/// The nearest number on the grid, by division and half to even as rounded(); not-a-number stays what it is.
/// Adding 1.5 * 2^23 rounds |x| < 2^22 exactly, which limiting one step outside the range ensures.
inline float nearest(float v, Rounding rounding) {
  constexpr float kMagic = 12582912.0F;
  float q = v / rounding.scale;
  q = q < rounding.low - 1 ? rounding.low - 1 : q;
  q = q > rounding.high + 1 ? rounding.high + 1 : q;
  q = (q + kMagic) - kMagic;
  q = q < rounding.low ? rounding.low : q;
  q = q > rounding.high ? rounding.high : q;
  return q * rounding.scale;
}

}  // namespace compress::ops
