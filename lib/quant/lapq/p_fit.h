#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace compress::quant {

/// The values of p that LAPQ tries: `count` equally spaced ones (Nahshan et al. 2019: 10 in [2, 4]). Throws a request
/// error unless 0 < low < high and count >= 3.
std::vector<double> sampled_p(int64_t count = 10, double low = 2, double high = 4);

struct ChosenP {
  double p = 0;
  bool fitted = false;  ///< p is a parabola's vertex, else the best of those that were tried
  std::string reason;   ///< one sentence for the log, in both cases
};

/// The p at which the calibration loss is least by a least-squares parabola. The best of the p that were tried is
/// returned, with the reason, where the parabola does not open upwards, is flat, or has its vertex outside of them.
/// Losses that are not finite are left out. Throws a request error when sizes differ or a p occurs twice; a run error
/// when no loss is finite.
ChosenP fit_p(std::span<const double> p, std::span<const double> losses);

}  // namespace compress::quant
