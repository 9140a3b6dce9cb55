#pragma once

#include "quant/lapq/record.h"
#include "quant/post_training/calibration_loss.h"
#include "quant/post_training/quantizer_clips.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace compress::quant {

/// So many seconds of work done now, not of what the record knows.
class TimeBudget {
public:
  explicit TimeBudget(std::optional<double> seconds = {}) : seconds_(seconds) {}
  bool spent() const {
    const std::chrono::duration<double> gone = std::chrono::steady_clock::now() - begin_;
    return seconds_ && gone.count() >= *seconds_;
  }
  /// "stopped after 60 s, its limit of time"
  std::string stop_text() const;

private:
  std::optional<double> seconds_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

struct JointSearchOptions {
  std::string method = "powell";  ///< or one of nlopt_methods()
  std::optional<int64_t> max_iterations = {}, max_evaluations = {};
  TimeBudget time = TimeBudget{};
  std::optional<int64_t> hops = {};  ///< basin-hopping around the method; absent: none
  bool each_end = false;             ///< as in ClipSpace
  int64_t save_every = 50;           ///< evaluations
  uint64_t seed = 1;
};

struct JointSearchResult {
  int64_t evaluations = 0;  ///< 0: there was no time for a single one
  std::string stop = {};    ///< "converged after 3 iterations"
  bool exhausted = false;   ///< evaluations or seconds ran out
};

/// Searches all clips at once for the least loss, from where they are, and leaves the graph at the best of all
/// evaluations, where they are if there was none; so it does when an exception ends it. The record takes it up again
/// with the same bits.
JointSearchResult search_jointly(Graph& graph,
                                 const std::vector<QuantizerClip>& clips,
                                 CalibrationLoss& loss,
                                 const JointSearchOptions& options,
                                 LapqRecord& record);

}  // namespace compress::quant
