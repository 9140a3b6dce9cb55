#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// The arithmetic of ONNX's Resize, one axis at a time: interpolation is separable.
namespace compress::ops {

/// What the attributes of a Resize say, for all axes.
struct ResizeRule {
  std::string mode = "nearest";                 ///< nearest, linear, cubic
  std::string coordinates = "half_pixel";       ///< coordinate_transformation_mode
  std::string rounding = "round_prefer_floor";  ///< nearest_mode
  double cubic_coefficient = -0.75;             ///< cubic_coeff_a
  bool exclude_outside = false;
  bool antialias = false;
};

/// One axis: `scale` is the ratio of the sizes before rounding, [begin, end] the part of a cropping Resize.
struct ResizedAxis {
  int64_t in = 1;
  int64_t out = 1;
  double scale = 1;
  double begin = 0, end = 1;

  /// The size before rounding, exact where it is a whole number.
  double width() const;
};

/// Output index o is the sum over k of weight[o * count + k] * input[index[o * count + k]]; where `outside` is set it
/// is the extrapolation value instead (empty: nowhere).
struct Taps {
  int64_t count = 1;
  std::vector<int64_t> index;
  std::vector<double> weight;
  std::vector<bool> outside;
};

Taps taps_of(const ResizeRule& rule, const ResizedAxis& axis);

/// A product of size and scale, whole where it is whole but for the rounding of a 32-bit scale.
double scaled_size(int64_t size, double scale);

}  // namespace compress::ops
