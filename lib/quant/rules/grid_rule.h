#pragma once

#include "quant/insertion/grids.h"

#include <vector>

namespace compress::quant {

/// A layer that reads a value (or what was merely moved from it).
struct GridReader {
  const Node* node;
  int64_t input;
  bool computes_quantised;
};

/// Values that share a grid with its rule, as find_grids() describes it; one that is not quantised when they stay in
/// floating point. Throws its errors.
SharedGrid shared_grid(const Graph& graph,
                       const InsertionOptions& options,
                       const std::vector<std::string>& values,
                       const std::vector<GridReader>& readers);

/// "8 bits, asymmetric, unsigned" or "floating point".
std::string describe(const TensorRule& rule);

}  // namespace compress::quant
