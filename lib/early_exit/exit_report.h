#pragma once

#include "early_exit/exits.h"
#include "train/task.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace compress::early_exit {

/// What one exit did in an evaluation.
struct ExitResult {
  std::string name;      ///< "final": the network's own output
  std::string output;    ///< of the graph
  double threshold = 1;  ///< the final output takes all that come
  double loss_weight = 0;
  double share = 0;    ///< percent of the samples that left here
  double correct = 0;  ///< percent of all samples that left here with the right answer
  double top1 = 0;     ///< over all samples, as if all left here
  int64_t macs = 0;    ///< that a sample has cost when it leaves here
  /// Percent of those who left here that got the right answer; 0 when nobody did.
  double top1_leaving() const { return share > 0 ? 100 * correct / share : 0; }
};

/// All exits, the final output last. Empty for a graph without exits.
struct ExitReport {
  std::vector<ExitResult> exits;
  double mean_macs = 0;  ///< of a sample, by the shares
  bool empty() const { return exits.empty(); }
  std::string str() const;  ///< a table
};

/// From the metrics of a task with exits (exit_task.h).
ExitReport exit_report(const Graph& graph, const train::Metrics& metrics);

nlohmann::json to_json(const ExitReport& report);

}  // namespace compress::early_exit
