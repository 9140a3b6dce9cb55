#pragma once

#include "core/settings.h"
#include "data/dataset.h"
#include "graph/graph.h"
#include "train/hook.h"

#include <optional>

namespace compress::search {

/// A little training of each network that a search tries.
struct FineTune {
  enum class Policy { constant, linear_grow };

  std::optional<int64_t> epochs, batches;  ///< one of them
  double learning_rate = 0.01, momentum = 0.9, weight_decay = 0;
  Policy policy = Policy::constant;

  void declare(Settings& settings);
  /// Exactly one of epochs and batches (request error).
  void check() const;
};

/// Trains a graph on samples of `data`, without the run's policies; masked weights stay zero. `way` is how far the
/// search has come, 0 ... 1. Everything drawn is a function of the state's seed and `iteration`.
void fine_tune(Graph& graph,
               const FineTune& settings,
               const train::State& state,
               const data::DatasetPtr& data,
               int64_t iteration,
               double way);

}  // namespace compress::search
