#pragma once

#include "exec/plan.h"
#include "quant/post_training/kept_prefixes.h"
#include "quant/quantizer.h"
#include "train/kept_samples.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace compress::quant {

/// The first so many of the training samples in the calibration's random order, with labels; all when there are fewer.
/// Throws a request error when the calibration has no labelled samples or no task, and when there are none.
train::KeptSamples labelled_samples(const Calibration& calibration, int64_t count, int64_t batch_size = 128);

/// The task's loss of a graph whose parameters change between evaluations. The graph is compiled once; what does not
/// depend on a change is kept where the caller says so.
class CalibrationLoss {
public:
  struct Result {
    double loss = 0;    ///< NaN when the task has none
    double metric = 0;  ///< the task's main one
  };

  /// Both stay the caller's. Of the graph, parameters only may change.
  CalibrationLoss(const Graph& graph, const train::KeptSamples& samples);

  /// To be told of parameters that were written since the last call.
  void changed(std::span<const std::string> parameters);

  /// Of the graph as it is.
  Result evaluate();
  /// The same bits. What runs before the node is kept, in at most 1 GB: the next call for this node, or a later one,
  /// starts there as long as nothing before the node has changed.
  Result evaluate_from(const std::string& node);

  /// What the node reads first, batch by batch, in the graph as it is. Keeps what evaluate_from() keeps.
  void watch_input(const std::string& node, const std::function<void(const at::Tensor&)>& consume);

  const train::KeptSamples& samples() const { return samples_; }

private:
  Result result_of(const train::Meter& meter) const;
  size_t place(std::string_view node) const;
  void forget_behind(size_t place);

  const Graph& graph_;
  const train::KeptSamples& samples_;
  exec::Plan plan_;
  std::unordered_map<std::string, size_t> places_;  ///< of nodes, in the graph's order
  KeptPrefixes kept_;
};

}  // namespace compress::quant
