#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace compress::train {

/// How often samples of one class were taken for another: counts[label][prediction].
struct ConfusionMatrix {
  std::vector<std::vector<int64_t>> counts;

  bool empty() const { return counts.empty(); }
  /// "label,NAME,NAME,...\nNAME,12,0,...". Without names (or with another number of them) classes are numbers.
  std::string csv(const std::vector<std::string>& names) const;
  /// A table for a terminal.
  std::string str(const std::vector<std::string>& names) const;
};

}  // namespace compress::train
