#pragma once

#include "graph/graph.h"

#include <string>
#include <vector>

namespace compress::prune {

/// Where the channels that a weight makes can be watched.
struct LayerActivation {
  std::string value;   ///< behind the layer's activation function, or the last value that is still the layer's own
  std::string op;      ///< the activation function's operator; "" without one
  int64_t axis = 1;    ///< of the channels
  bool zeros = false;  ///< the activation function turns part of its inputs to exactly zero
};

/// The value behind the activation function of each layer that reads the weight (several when it is tied), found by
/// following the layer's output through batch-norm, residual additions, pooling, dropout and quantisers. Empty when no
/// convolutional or linear layer reads the weight.
std::vector<LayerActivation> layer_activations(const Graph& graph, const std::string& weight);

}  // namespace compress::prune
