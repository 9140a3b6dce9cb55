#pragma once

#include <cstdint>
#include <functional>

namespace compress::quant {

struct LineMinimum {
  double x = 0, value = 0;
};

/// A local minimum in [low, high] by parabolas and golden sections (Brent 1973, chapter 5; Boost.Math's
/// brent_find_minima), the first evaluation at `high`. Stops when x is known to about tolerance * (|x| + 1/4), or after
/// max_evaluations, two at least. What the function throws passes through.
LineMinimum brent_minimum(
    const std::function<double(double)>& function, double low, double high, double tolerance, int64_t max_evaluations);

}  // namespace compress::quant
