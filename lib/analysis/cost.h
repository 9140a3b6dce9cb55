#pragma once

#include "graph/graph.h"

#include <string>
#include <vector>

/// What a network costs to store and to run.
namespace compress::analysis {

/// One node, for a batch of 1.
struct NodeCost {
  std::string name;
  std::string op;
  Shape input, output;          ///< of the first input and output
  std::vector<int64_t> kernel;  ///< spatial sizes of the weight; empty when it has none
  bool weighted = false;        ///< has weights (Conv, Gemm, MatMul with a parameter, LSTM, ...)
  int64_t weights = 0;          ///< elements of its weights
  int64_t nonzero = 0;          ///< of them not zero
  int64_t weight_bytes = 0;     ///< of the weights once they are deployed (stored_bits of analysis/weight.h)
  int64_t parameters = 0;       ///< elements of all its parameters, weight, bias and statistics
  int64_t macs = 0;             ///< multiply-accumulates
  double effective_macs = 0;    ///< of them with a weight that is not zero, if zeros were free
};

/// Sums over a network for a batch of 1. Weights are those of convolutional, linear and recurrent layers
/// (Distiller leaves out the recurrent ones); a tied weight counts once.
struct Cost {
  std::vector<NodeCost> nodes;
  int64_t macs = 0;
  double effective_macs = 0;
  int64_t weights = 0, nonzero_weights = 0;
  int64_t parameters = 0;  ///< elements of all learned parameters (analysis/weight.h)
  int64_t nonzero_parameters = 0;
  int64_t stored_bytes = 0;  ///< of the learned parameters once they are deployed
  int64_t bytes = 0;         ///< of all parameters, statistics and constants too, as they are stored in the graph

  /// Percent of the weights that are zero.
  double sparsity() const {
    return weights == 0 ? 0 : 100.0 * static_cast<double>(weights - nonzero_weights) / static_cast<double>(weights);
  }
};

/// Throws a request error when shapes do not fit.
Cost cost(const Graph& graph);

}  // namespace compress::analysis
