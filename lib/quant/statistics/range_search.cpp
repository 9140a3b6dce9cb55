#include "quant/statistics/range_search.h"

#include "ops/floating_grid.h"
#include "ops/gfpq.h"

#include <ATen/ops/scalar_tensor.h>

#include <algorithm>
#include <cmath>

namespace compress::quant {

namespace {

/// Half to even; unlike std::nearbyint no call. Beyond 2^51 roughly the number itself.
double round_even(double x) {
  constexpr double kShift = 6755399441055744.0;  // 1.5 * 2^52
  return (x + kShift) - kShift;
}

double power_of_two_above(double x) {
  int exponent = 0;
  const double mantissa = std::frexp(x, &exponent);  // [0.5, 1)
  return std::ldexp(1.0, mantissa == 0.5 ? exponent - 1 : exponent);
}

double power(double x, double p) {
  if (p == 1) return x;
  if (p == 2) return x * x;
  if (p == 3) return x * x * x;
  if (p == 4) return (x * x) * (x * x);
  return std::pow(static_cast<float>(x), static_cast<float>(p));  // three times as fast as for doubles
}

constexpr int kFractions = 100;   ///< of the coarse pass
constexpr int kRefinements = 10;  ///< steps of the fine pass to either side
constexpr int kRounds = 4;

/// The fraction in [0, 1], or (0, 1], with the least cost; 1 when nothing is better.
double best_fraction(const std::function<double(double)>& cost, bool with_zero) {
  double best = 1, least = cost(1);
  const auto consider = [&](double fraction) {
    if (const double found = cost(fraction); found < least) best = fraction, least = found;
  };
  for (int k = kFractions - 1; k >= (with_zero ? 0 : 1); --k) consider(static_cast<double>(k) / kFractions);
  const double coarse = best;
  for (int k = kRefinements - 1; k > -kRefinements; --k) {
    const double fraction = coarse + static_cast<double>(k) / (kFractions * kRefinements);
    if (k != 0 && fraction > 0 && fraction < 1) consider(fraction);
  }
  return best;
}

/// Moves one end between 0 and where it was observed; true when that helped.
bool improve_end(double Extremes::*end,
                 Extremes& range,
                 const Extremes& observed,
                 const std::function<double(const Extremes&)>& cost) {
  const auto moved = [&](double fraction) {
    auto other = range;
    other.*end = observed.*end * fraction;
    return other;
  };
  const bool other_is_zero = (end == &Extremes::low ? range.high : range.low) == 0;
  const double before = cost(range);
  const auto best = moved(best_fraction([&](double fraction) { return cost(moved(fraction)); }, !other_is_zero));
  if (cost(best) >= before) return false;
  range = best;
  return true;
}

}  // namespace

PlainGrid::PlainGrid(const Extremes& range, const ops::GridSpec& spec) : spec_(spec) {
  const double low = std::min(range.low, 0.0), high = std::max(range.high, 0.0);
  if (!even()) {
    const auto number = [](double x) { return at::scalar_tensor(x, at::kDouble); };
    scale = ops::make_grid(number(low), number(high), spec).scale.item<double>();
    return;
  }
  first = static_cast<double>(spec.low()), last = static_cast<double>(spec.high());
  if (spec.symmetric)
    scale = (spec.is_signed ? std::max(-low, high) : high) / ops::symmetric_steps(spec);
  else
    scale = (high - low) / (last - first);
  if (scale == 0) scale = 1;
  if (spec.scale_rule == ops::ScaleRule::power_of_two) scale = power_of_two_above(scale);
  if (!spec.symmetric) zero_point = std::clamp(round_even(first - low / scale), first, last);
}

double PlainGrid::nearest_of_format(double x) const {
  if (spec_.format == ops::GridFormat::gfpq) {
    const auto [steps, highest, sign_bit] = ops::gfpq_format(spec_.bits);
    const double mark = std::round(steps * std::log2(scale)), magnitude = std::abs(x);
    if (magnitude < scale / 2) return 0;
    const double level =
        std::clamp<double>(std::floor(steps * std::log2(magnitude) - mark + 0.5), x < 0 ? 1 : 0, highest);
    return std::copysign(std::exp2((mark + level) / steps), x);
  }
  const auto& format = ops::float_format(spec_.format);
  const double near = std::clamp(x / scale, -format.largest, format.largest);
  const int exponent = near == 0 ? format.lowest_exponent : std::max(std::ilogb(near), format.lowest_exponent);
  const double step = std::ldexp(1.0, exponent - format.mantissa_bits);
  return round_even(near / step) * step * scale;
}

double PlainGrid::integer(double x) const {
  return std::clamp(round_even(x / scale) + zero_point, first, last);
}

WeightedPoints::WeightedPoints(const Histogram& histogram) : width(histogram.width()) {
  for (int64_t i = 0; i < histogram.bins(); ++i)
    if (const int64_t n = histogram.count(i)) {
      values.push_back(histogram.centre(i));
      weights.push_back(static_cast<double>(n));
    }
}

double norm_error(const WeightedPoints& points, const PlainGrid& grid, double p, double unit) {
  // Steps finer than the bins say nothing about single points; what is left is the mean over a step.
  const bool fine = grid.even() && grid.scale < points.width;
  const double inside = power(grid.scale / 2 / unit, p) / (p + 1), low = grid.low(), high = grid.high();
  double sum = 0;
  for (size_t i = 0; i < points.values.size(); ++i) {
    const double x = points.values[i];
    if (fine && x >= low && x <= high)
      sum += points.weights[i] * inside;
    else
      sum += points.weights[i] * power(std::abs(x - grid.nearest(x)) / unit, p);
  }
  return sum;
}

Extremes
search_range(const Extremes& observed, const ops::GridSpec& grid, const std::function<double(const Extremes&)>& cost) {
  const Extremes full{std::min(observed.low, 0.0), std::max(observed.high, 0.0)};
  const auto shrunk = [&](double fraction) { return Extremes{full.low * fraction, full.high * fraction}; };
  auto range = shrunk(best_fraction([&](double fraction) { return cost(shrunk(fraction)); }, false));
  if (grid.symmetric || full.low == 0 || full.high == 0) return range;
  for (int round = 0; round < kRounds; ++round) {
    const bool high = improve_end(&Extremes::high, range, full, cost),
               low = improve_end(&Extremes::low, range, full, cost);
    if (!high && !low) break;
  }
  return range;
}

Extremes least_norm_range(const Extremes& observed, const Histogram& histogram, const ops::GridSpec& grid, double p) {
  const double unit = std::max(-observed.low, observed.high);
  if (!(unit > 0)) return {0, 0};
  const WeightedPoints points(histogram);
  return search_range(observed, grid,
                      [&](const Extremes& range) { return norm_error(points, PlainGrid(range, grid), p, unit); });
}

}  // namespace compress::quant
