#pragma once

#include "analysis/difference.h"
#include "graph/graph.h"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// Two forms of one network side by side: floating point and quantised, simulated and exported.
namespace compress::analysis {

/// A value that both models have.
struct LayerDifference {
  std::string name;       ///< the layer
  std::string op;         ///< its operator in the reference
  std::string reference;  ///< the value compared in each model: the layer's own, or what its quantiser makes of it when
  std::string other;      ///< that is what the layers behind it read
  Shape shape;            ///< of one sample
  Difference difference;
};

struct OutputDifference {
  std::string name;  ///< in the reference
  Shape shape;       ///< of one sample
  Difference difference;
  std::optional<double> top1_agreement;  ///< percent of samples with the same largest class; of [samples, classes]
};

struct ModelComparison {
  int64_t samples = 0;
  std::vector<LayerDifference> layers;  ///< in the reference's order
  std::vector<OutputDifference> outputs;
  std::vector<std::string> only_reference, only_other;  ///< layers that the other model lacks
  std::vector<std::string> other_shape;                 ///< layers of both whose shapes differ

  /// The first layer whose SQNR is below `sqnr` dB; null when there is none.
  const LayerDifference* first_below(double sqnr) const;
};

/// Runs two models on the same inputs and sums up their differences; keeps no values but those of one batch.
///
/// Layers belong together by name. A quantiser is no layer: the value of layer `conv1` is what `conv1.quantizer`
/// (FakeQuantize, or QuantizeLinear and DequantizeLinear under any name) makes of it, when only that is read.
/// Inputs and outputs belong together by name, else by their places.
class ModelComparer {
public:
  /// Throws a request error when inputs or outputs differ in number, shape or type, or no layer is common to both. Fold
  /// batch-norm in both beforehand, or in none. The graphs are not needed afterwards.
  ModelComparer(const Graph& reference, const Graph& other);
  ~ModelComparer();

  /// How many samples a batch should have: what is kept of a batch stays below 64 MiB.
  int64_t batch_size() const;
  /// Inputs in the reference's order.
  void add(std::span<const at::Tensor> inputs);
  /// Throws a run error when nothing was added.
  ModelComparison result() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace compress::analysis
