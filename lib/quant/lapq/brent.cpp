#include "quant/lapq/brent.h"

#include <boost/math/tools/minima.hpp>

#include <algorithm>
#include <cmath>

namespace compress::quant {

LineMinimum brent_minimum(
    const std::function<double(double)>& function, double low, double high, double tolerance, int64_t max_evaluations) {
  // Boost wants bits of precision, 2^(1 - bits) = tolerance, and counts evaluations from the second.
  const auto bits = static_cast<int>(std::clamp(std::ceil(1 - std::log2(tolerance)), 2.0, 26.0));
  auto iterations = static_cast<boost::uintmax_t>(std::max<int64_t>(max_evaluations - 1, 1));
  const auto [x, value] = boost::math::tools::brent_find_minima(function, low, high, bits, iterations);
  return {x, value};
}

}  // namespace compress::quant
