#pragma once

#include "data/dataset.h"
#include "early_exit/exit_report.h"
#include "graph/graph.h"
#include "train/trainer.h"

#include <nlohmann/json.hpp>

namespace compress::run {

/// What the checks and the summary say of a model.
struct Measurement {
  train::Metrics metrics;
  std::string split;  ///< which data: "test"
  int64_t samples = 0;
  double images_per_second = 0;
  int64_t macs = 0;          ///< of one sample
  int64_t parameters = 0;    ///< trainable numbers of the graph
  int64_t nonzero = 0;       ///< of these, not zero
  double sparsity = 0;       ///< percent of the conv and linear weights that are zero
  int64_t weight_bytes = 0;  ///< all parameters, at the bits their quantisers give them
  bool quantized = false;
  train::ConfusionMatrix confusion = {};  ///< when the task counts one
  early_exit::ExitReport exits = {};      ///< of a model with early exits
};

/// Counts without data.
Measurement count(const Graph& graph);
/// Counts, and metrics on a data set.
Measurement measure(const Graph& graph,
                    const data::DatasetPtr& dataset,
                    const std::string& split,
                    const train::Task& task,
                    const train::EvaluateOptions& options);

nlohmann::json to_json(const Measurement& measurement);
Measurement measurement_from_json(const nlohmann::json& json);

}  // namespace compress::run
