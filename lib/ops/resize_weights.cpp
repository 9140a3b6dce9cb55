#include "ops/resize_weights.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace compress::ops {

namespace {

/// Halves and whole numbers exactly: rounding decides at them.
double at_half_steps(double x) {
  const auto near = std::round(2 * x) / 2;
  return std::abs(x - near) < 1e-9 * std::max(1.0, std::abs(x)) ? near : x;
}

/// Where an output index lies among the input's.
double source_of(const std::string& coordinates, const ResizedAxis& axis, int64_t output) {
  const auto x = static_cast<double>(output), last = static_cast<double>(axis.in - 1), width = axis.width();
  const auto ratio = width / static_cast<double>(axis.in);  // the scale without its rounding
  if (coordinates == "align_corners") return width == 1 ? 0 : x * last / (width - 1);
  if (coordinates == "asymmetric") return x / ratio;
  if (coordinates == "tf_crop_and_resize")
    return width > 1 ? axis.begin * last + x * (axis.end - axis.begin) * last / (width - 1)
                     : 0.5 * (axis.begin + axis.end) * last;
  if (coordinates == "pytorch_half_pixel" && width <= 1) return 0;
  const auto centre = (x + 0.5) / ratio - 0.5;
  if (coordinates != "half_pixel_symmetric") return centre;
  return centre + static_cast<double>(axis.in) / 2 * (1 - static_cast<double>(axis.out) / width);
}

int64_t nearest_index(const std::string& rounding, double x) {
  if (rounding == "floor") return static_cast<int64_t>(std::floor(x));
  if (rounding == "ceil") return static_cast<int64_t>(std::ceil(x));
  return static_cast<int64_t>(rounding == "round_prefer_ceil" ? std::floor(x + 0.5) : std::ceil(x - 0.5));
}

double linear_weight(double distance) {
  return std::max(0.0, 1 - std::abs(distance));
}

/// Keys' cubic convolution.
double cubic_weight(double distance, double a) {
  const auto x = std::abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/// The weights of one output, scaled to a sum of 1.
void normalize_weights(std::vector<double>& weights) {
  const auto sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (sum != 0)
    for (auto& weight : weights) weight /= sum;
}

Taps nearest_taps(const ResizeRule& rule, const ResizedAxis& axis) {
  Taps taps;
  for (int64_t o = 0; o < axis.out; ++o) {
    const auto x = at_half_steps(source_of(rule.coordinates, axis, o));
    taps.index.push_back(std::clamp<int64_t>(nearest_index(rule.rounding, x), 0, axis.in - 1));
    taps.weight.push_back(1);
  }
  return taps;
}

/// Linear and cubic: a kernel around each source position; when antialiasing shrinks, it is as wide as what it shrinks.
Taps weighted_taps(const ResizeRule& rule, const ResizedAxis& axis) {
  const auto radius = rule.mode == "cubic" ? 2 : 1;
  const auto squeeze = rule.antialias ? std::min(axis.scale, 1.0) : 1.0;
  const auto first = static_cast<int64_t>(std::floor(-radius / squeeze)) + 1;
  Taps taps{.count = 2 - 2 * first};
  for (int64_t o = 0; o < axis.out; ++o) {
    const auto x = at_half_steps(source_of(rule.coordinates, axis, o));
    const auto left = static_cast<int64_t>(std::floor(x));
    std::vector<double> weights;
    for (int64_t k = first; k < first + taps.count; ++k) {
      const auto distance = (static_cast<double>(left + k) - x) * squeeze;
      const bool inside = left + k >= 0 && left + k < axis.in;
      const auto weight = radius == 2 ? cubic_weight(distance, rule.cubic_coefficient) : linear_weight(distance);
      weights.push_back(rule.exclude_outside && !inside ? 0 : weight);
      taps.index.push_back(std::clamp<int64_t>(left + k, 0, axis.in - 1));
    }
    normalize_weights(weights);
    taps.weight.insert(taps.weight.end(), weights.begin(), weights.end());
  }
  return taps;
}

}  // namespace

double scaled_size(int64_t size, double scale) {
  const auto product = static_cast<double>(size) * scale, near = std::round(product);
  return std::abs(product - near) < 1e-6 * std::max(1.0, near) ? near : product;
}

double ResizedAxis::width() const {
  return scaled_size(in, scale);
}

Taps taps_of(const ResizeRule& rule, const ResizedAxis& axis) {
  auto taps = rule.mode == "nearest" ? nearest_taps(rule, axis) : weighted_taps(rule, axis);
  if (rule.coordinates != "tf_crop_and_resize") return taps;
  for (int64_t o = 0; o < axis.out; ++o) {
    const auto x = source_of(rule.coordinates, axis, o);
    taps.outside.push_back(x < 0 || x > static_cast<double>(axis.in - 1));
  }
  return taps;
}

}  // namespace compress::ops
