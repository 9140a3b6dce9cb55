#pragma once

#include <map>
#include <string>

namespace compress::quant {

/// The least and the greatest number of something.
struct Extremes {
  double low = 0;
  double high = 0;
  bool operator==(const Extremes&) const = default;
};

/// From where to where the grid of a value reaches, by the value's name.
using ValueRanges = std::map<std::string, Extremes, std::less<>>;

}  // namespace compress::quant
