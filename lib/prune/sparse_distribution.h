#pragma once

#include "graph/graph.h"

#include <cstdint>
#include <vector>

namespace compress::prune {

/// How the weights that stay are spread over layers.
enum class SparseDistribution {
  uniform,  ///< the same share of each
  erk,      ///< Erdos-Renyi-Kernel: a density in proportion to (sum of the sizes) / (their product), at most 1
};

/// How many weights of each shape stay at this level: size - floor(level * size) of each when uniform, of all together
/// otherwise; of each at least one.
std::vector<int64_t> distribute(const std::vector<Shape>& shapes, double level, SparseDistribution distribution);

}  // namespace compress::prune
