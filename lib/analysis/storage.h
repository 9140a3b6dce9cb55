#pragma once

#include "graph/graph.h"

#include <string>
#include <string_view>
#include <vector>

/// What weights take in a file.
namespace compress::analysis {

/// How zeros are left out.
enum class Packing {
  dense,   ///< not at all
  bitmap,  ///< a bit for each element, then those that are not zero
  index  ///< the position of each element that is not zero (16 bits in up to 65,536 elements, else 32), and the element
};
std::string_view name_of(Packing packing);

/// One parameter once it is deployed: at the bits of its quantiser, zero is what stands for zero.
struct Storage {
  std::string name;
  Shape shape;
  int64_t elements = 0;
  int64_t nonzero = 0;
  int64_t bits = 0;  ///< an element
  int64_t dense_bytes = 0;
  int64_t packed_bytes = 0;  ///< in the smallest of the packings
  Packing packing = Packing::dense;
  double entropy = 0;         ///< bits an element (analysis/entropy.h), of its integers when it is quantised
  int64_t entropy_bytes = 0;  ///< what no code for single elements can get below
};

Storage storage(const Graph& graph, const Parameter& parameter);

/// All learned parameters (analysis/weight.h), in the graph's order.
std::vector<Storage> storage(const Graph& graph);

}  // namespace compress::analysis
