#pragma once

#include "graph/graph.h"

#include <string>
#include <vector>

namespace compress::analysis {

/// A layer's output, for comparing a network with another form of itself.
struct LayerValue {
  std::string layer;  ///< the value's name without any quantiser
  std::string op;
  std::string value;  ///< what is read of it: behind its quantiser, where everything reads that
  bool as_integers;   ///< an operator reads the integers themselves, so `value` is the layer's own
  Shape shape;        ///< of one sample
};

/// The floating-point values that layers compute, in the graph's order; quantisers are no layers.
std::vector<LayerValue> layer_values(const Graph& graph);

}  // namespace compress::analysis
