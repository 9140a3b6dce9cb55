#pragma once

#include "graph/graph.h"
#include "report/run_directory.h"
#include "schedule/scheduler.h"
#include "train/trainer.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

namespace compress::run {

/// How far a run has come; saved with every checkpoint.
struct RunProgress {
  int64_t next_epoch = 0;
  /// The best epochs so far, best first: {epoch, value (the task's main metric on validation), validation (all
  /// metrics), sparsity}.
  nlohmann::json best = nlohmann::json::array();
  nlohmann::json baseline;  ///< Measurement before the first compressing policy; null: not measured yet

  int64_t best_epoch() const { return best.empty() ? -1 : best.at(0).at("epoch").get<int64_t>(); }  ///< -1: none yet
};

/// The checkpoints of a run directory: graph, masks, optimiser state and policies' memory in one, so that a resumed run
/// ends with the same bits.
class ProgressStore {
public:
  ProgressStore(const report::RunDirectory& directory,
                std::string recipe_hash,
                schedule::Scheduler& scheduler,
                train::Optimizer& optimizer,
                train::Trainer& trainer)
      : directory_(directory), recipe_hash_(std::move(recipe_hash)), scheduler_(scheduler), optimizer_(optimizer),
        trainer_(trainer) {}

  void save(const Graph& graph, const RunProgress& progress) const;
  /// Throws a request error for a damaged checkpoint or one of another recipe; warns when build or thread count differ.
  /// `fresh_optimizer` leaves the optimiser's state out.
  void load(Graph& graph, RunProgress& progress, bool fresh_optimizer) const;

  void save_best(const Graph& graph) const;
  Graph load_best() const;
  /// The model that the run ends with (finished quantisers and all): what opening the run directory as a model gives.
  static void save_final(const report::RunDirectory& directory, const Graph& graph);

private:
  const report::RunDirectory& directory_;
  std::string recipe_hash_;
  schedule::Scheduler& scheduler_;
  train::Optimizer& optimizer_;
  train::Trainer& trainer_;
};

}  // namespace compress::run
