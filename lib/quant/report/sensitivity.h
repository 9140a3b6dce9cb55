#pragma once

#include "graph/graph.h"
#include "train/kept_samples.h"

#include <functional>
#include <string>
#include <vector>

/// Which quantisers cost how much: the network with one layer's quantisers alone, and with all but them.
namespace compress::quant {

/// A copy in which the quantisers that `keeps` refuses (by the node's name) are left out; with none it is the network
/// in floating point.
Graph with_quantizers(const Graph& graph, const std::function<bool(const std::string& quantizer)>& keeps);

/// How far a variant is from the network in floating point.
struct Effect {
  double sqnr = 0;    ///< of the first output, dB
  double metric = 0;  ///< the task's main metric; NaN when it has none
};

struct LayerSensitivity {
  std::string layer, op;
  std::vector<std::string> quantizers;  ///< through which it reads: of its inputs, weight and bias
  Effect only;                          ///< these alone
  Effect without;                       ///< all but these
};

struct Sensitivity {
  std::string metric;  ///< the task's name of it
  double floating_point = 0;
  Effect all, weights, activations;  ///< all quantisers; those of constants, those of values alone
  std::vector<LayerSensitivity> layers;
};

/// Measures 2 evaluations a layer and 3 more. A quantiser that several layers read counts for each of them. `graph`
/// must be finished (quant::finish). Throws a request error when it has no quantisers.
Sensitivity measure_sensitivity(const Graph& graph, const train::KeptSamples& samples);

}  // namespace compress::quant
