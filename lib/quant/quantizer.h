#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "data/dataset.h"
#include "graph/graph.h"
#include "train/hook.h"

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace compress::quant {

/// Calls `consume` with the graph's inputs, batch by batch, of training (never test) samples.
using CalibrationBatches =
    std::function<void(const std::function<void(const std::vector<at::Tensor>& inputs)>& consume)>;

/// What a quantiser may look at. Training samples only: nothing is decided on the validation or test split.
struct Calibration {
  /// Quantizer::calibration_samples() samples without labels, the same at every call.
  CalibrationBatches batches;
  /// All training samples with their labels and without augmentation, for those who go by the task's loss. Null, as the
  /// task, where only inputs are at hand.
  data::DatasetPtr samples = nullptr;
  const train::Task* task = nullptr;
  std::map<std::string, std::string> inputs = {};  ///< graph input -> field of `samples`
  uint64_t seed = 1;
  at::Device device = at::kCPU;
  std::filesystem::path directory = {};  ///< for files of the quantiser's own; empty: there is none
};

/// Puts FakeQuantize nodes on a graph. One file each, and one line in
/// post_training_quantizers.def or training_quantizers.def.
///
/// In training it is told of every moment from prepare() on (train::Hook), in the epochs of its policy: to lower bits,
/// to add to the loss, to keep state across a resume.
class Quantizer : public train::Hook {
public:
  virtual void declare(Settings& settings) = 0;
  virtual void check() const {}
  /// Throws a request error when an argument speaks of an epoch behind the last one of its policy.
  virtual void check_epochs(int64_t /*last*/) const {}
  /// Overrides must match nodes; problems name the pattern and its place.
  virtual void bind(const Graph& graph, Problems& problems) = 0;
  /// Throws the request error that prepare() would throw of this graph, as far as can be told before data are read.
  virtual void rehearse(const Graph&) const {}
  /// True: acts on a trained network, needs calibration, and runs at the end of training when its policy has no epochs.
  virtual bool post_training() const = 0;
  /// How many training samples calibration wants.
  virtual int64_t calibration_samples() const { return 0; }
  /// In place of a number: the share of the training samples. 0: calibration_samples() says it.
  virtual double calibration_fraction() const { return 0; }
  virtual Changes prepare(Graph& graph, const Calibration& calibration) = 0;
  /// After training: what it was to reach and did not, as a sentence; that fails the run. "" when all is well.
  virtual std::string unmet() const { return {}; }
};
const Registry<Quantizer>& quantizers();

/// Makes the graph what a runtime gets: ConvBatchNormalization folded, ranges frozen, biases on the accumulator's grid
/// (scale = input scale x weight scale). Simulation of the result = export.
Changes finish(Graph& graph);

}  // namespace compress::quant
