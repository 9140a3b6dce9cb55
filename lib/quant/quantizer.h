#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "data/dataset.h"
#include "graph/graph.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace compress::quant {

/// Calls `consume` with the graph's inputs, batch by batch, of training (never test) samples.
using CalibrationBatches =
    std::function<void(const std::function<void(const std::vector<at::Tensor>& inputs)>& consume)>;

/// Puts FakeQuantize nodes on a graph. One file and one line in quantizers.def each.
class Quantizer {
public:
  virtual ~Quantizer() = default;
  virtual void declare(Settings& settings) = 0;
  virtual void check() const {}
  /// Overrides must match nodes; problems name the pattern and its place.
  virtual void bind(const Graph& graph, Problems& problems) = 0;
  /// True: acts on a trained network, needs calibration, and runs at the end of training when its policy has no epochs.
  virtual bool post_training() const = 0;
  /// How many training samples calibration wants.
  virtual int64_t calibration_samples() const { return 0; }
  virtual Changes prepare(Graph& graph, const CalibrationBatches& calibration) = 0;
};
const Registry<Quantizer>& quantizers();

/// Makes the graph what a runtime gets: ConvBatchNormalization folded, ranges frozen, biases on the accumulator's grid
/// (scale = input scale x weight scale). Simulation of the result = export.
Changes finish(Graph& graph);

/// Rewrites each FakeQuantize to QuantizeLinear + DequantizeLinear, weights and biases to integers with
/// DequantizeLinear (ONNX "QDQ").
Graph lower_to_qdq(const Graph& graph);

}  // namespace compress::quant
