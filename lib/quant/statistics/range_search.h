#pragma once

#include "ops/quantization_grid.h"
#include "quant/statistics/extremes.h"
#include "quant/statistics/histogram.h"

#include <functional>
#include <vector>

/// Searching for the range of a grid by what it does to the numbers of a histogram.
namespace compress::quant {

/// A grid of one scale in plain numbers: ops::make_grid's for a range. Integers: real = scale * (q - zero_point), q of
/// [first, last].
struct PlainGrid {
  double scale = 1, zero_point = 0, first = 0, last = 0;

  PlainGrid(const Extremes& range, const ops::GridSpec& spec);
  bool even() const { return spec_.is_integer(); }  ///< steps of one size
  double low() const { return scale * (first - zero_point); }
  double high() const { return scale * (last - zero_point); }
  /// The integer that stands for x.
  double integer(double x) const;
  double nearest(double x) const { return even() ? scale * (integer(x) - zero_point) : nearest_of_format(x); }

private:
  double nearest_of_format(double x) const;

  ops::GridSpec spec_;
};

/// The numbers of a histogram as points with weights; empty bins and exact zeros left out.
struct WeightedPoints {
  std::vector<double> values, weights;
  double width = 0;  ///< of the bins, in whose middle the points lie

  explicit WeightedPoints(const Histogram& histogram);
};

/// Sum of weight * |x - nearest(x)|^p, in units of `unit`^p (which keeps large powers in range).
double norm_error(const WeightedPoints& points, const PlainGrid& grid, double p, double unit);

/// The range inside of `observed` with the least cost, found by shrinking both ends alike and then, on asymmetric
/// grids, each by itself, until nothing improves. Of equal ranges the widest. Deterministic; some hundreds of
/// evaluations.
Extremes
search_range(const Extremes& observed, const ops::GridSpec& grid, const std::function<double(const Extremes&)>& cost);

/// The range with the least norm_error.
Extremes least_norm_range(const Extremes& observed, const Histogram& histogram, const ops::GridSpec& grid, double p);

}  // namespace compress::quant
