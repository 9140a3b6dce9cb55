#pragma once

#include "ops/rounding.h"

#include <cstdint>
#include <limits>
#include <vector>

/// Batch normalisation of float32 values whose channels lie innermost, with the addition and the clamp behind it in the
/// same pass over memory. Results depend on neither the number of threads nor on chance.
namespace compress::exec {

/// `rows` pixels of `channels` values each.
struct Extent {
  int64_t rows = 0;
  int64_t channels = 0;
};

/// An activation that limits: y = min(max(v, low), high); the gradient passes where gate_low <= v <= gate_high.
struct Clamp {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  float gate_low = low;
  float gate_high = high;
};
/// max(v, 0), whose gradient is 0 at 0.
inline constexpr Clamp kRelu{.low = 0, .gate_low = std::numeric_limits<float>::denorm_min()};

/// One number per channel.
using PerChannel = std::vector<float>;

struct Moments {
  std::vector<double> mean, variance;  ///< variance over all rows, not corrected
};
Moments moments(const float* x, Extent extent);
/// The least and the greatest number of each channel.
struct ChannelExtremes {
  PerChannel low, high;
};
/// Both in one pass.
Moments moments(const float* x, Extent extent, ChannelExtremes& extremes);

/// v = x * scale + shift
struct Affine {
  PerChannel scale, shift;
};
/// y = clamp(x * scale + shift + other); `other` may be null.
void normalize(const float* x, const float* other, float* y, Extent extent, const Affine& affine, Clamp clamp);
/// y = clamp(x * scale + shift) on a grid.
void normalize(const float* x, float* y, Extent extent, const Affine& affine, Clamp clamp, ops::Rounding rounding);

/// Sums over all rows of the gradient behind the clamp, and of its product with x - mean.
struct GradientSums {
  std::vector<double> gradient, product;
};
/// Without addition: where the clamp lets the gradient pass is computed anew from x.
GradientSums sum_gradient(
    const float* gradient, const float* x, Extent extent, const PerChannel& mean, const Affine& affine, Clamp clamp);
/// With addition: it is seen from the result `y`; writes the gradient behind the clamp to `passed`, which may be
/// `gradient` itself.
GradientSums pass_gradient(const float* gradient,
                           const float* y,
                           const float* x,
                           float* passed,
                           Extent extent,
                           const PerChannel& mean,
                           Clamp clamp);

/// dx = passed * a + (x - mean) * b + c
struct GradientLine {
  PerChannel mean, a, b, c;
};
/// `gated`: the gradient has not gone through the clamp yet. `dx` may be `gradient` itself.
void input_gradient(const float* gradient,
                    const float* x,
                    float* dx,
                    Extent extent,
                    const GradientLine& line,
                    const Affine* gate,
                    Clamp clamp);

}  // namespace compress::exec
