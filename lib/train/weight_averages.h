#pragma once

#include "core/settings.h"
#include "graph/graph.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace compress::train {

/// The `training.ema` section.
struct EmaConfig {
  double decay = 0.999;
  bool warmup = true;
  bool apply = true;
  void declare(Settings& settings);
  void check() const {}
};

/// Exponential moving averages of a graph's floating-point parameters, batch-norm statistics too, by name (but not of
/// grids that follow what they quantise, whose latest state goes with the averages):
/// average = decay * average + (1 - decay) * value after each optimiser step. With warm-up the decay is at most
/// (1 + n) / (10 + n) in step n, so that the random start is soon forgotten.
class WeightAverages {
public:
  explicit WeightAverages(EmaConfig config) : config_(config) {}

  /// After an optimiser step. What is new in the graph begins with its present value.
  void update(const Graph& graph);
  /// Follows an edit of the graph.
  void apply(const Changes& changes);
  /// Puts the averages in place of the graph's values, times the masks. Does nothing before the first update.
  void put_into(Graph& graph) const;

  const EmaConfig& config() const { return config_; }
  const std::map<std::string, at::Tensor>& tensors() const { return averages_; }
  int64_t updates() const { return updates_; }
  void load(std::map<std::string, at::Tensor> tensors, int64_t updates);

private:
  EmaConfig config_;
  std::map<std::string, at::Tensor> averages_;
  int64_t updates_ = 0;
  std::set<std::string> grids_;  ///< of the graph of this version
  uint64_t grids_of_ = 0;
};

}  // namespace compress::train
