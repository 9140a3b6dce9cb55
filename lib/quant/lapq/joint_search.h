#pragma once

#include "quant/lapq/record.h"
#include "quant/post_training/calibration_loss.h"
#include "quant/post_training/quantizer_clips.h"

#include <optional>
#include <string>
#include <vector>

namespace compress::quant {

struct JointSearchOptions {
  std::string method = "powell";  ///< or one of nlopt_methods()
  std::optional<int64_t> max_iterations = {}, max_evaluations = {};
  std::optional<double> seconds = {};  ///< of evaluations made now, not of those that the record knows
  std::optional<int64_t> hops = {};    ///< basin-hopping around the method; absent: none
  bool each_end = false;               ///< as in ClipSpace
  int64_t save_every = 50;             ///< evaluations
  uint64_t seed = 1;
};

struct JointSearchResult {
  double start_loss = 0, loss = 0;
  int64_t evaluations = 0;
  std::string stop;        ///< "converged after 3 iterations"
  bool exhausted = false;  ///< evaluations or seconds ran out
};

/// Searches all clips at once for the least loss, from where they are, and leaves the graph at the best of all
/// evaluations; so it does when an exception (an interrupt) ends it. The record takes it up again with the same bits.
/// Throws a request error when the options do not go together.
JointSearchResult search_jointly(Graph& graph,
                                 const std::vector<QuantizerClip>& clips,
                                 CalibrationLoss& loss,
                                 const JointSearchOptions& options,
                                 LapqRecord& record);

}  // namespace compress::quant
