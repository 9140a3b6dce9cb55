#pragma once

#include "quant/insertion/grids.h"
#include "quant/post_training/calibration_loss.h"
#include "quant/statistics/statistics_file.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

/// Greedy search of the clip mode of each layer's activations (Distiller's ptq_greedy_search): layers
/// in topological order, each gets the mode with which the network does best on training samples, those behind it being
/// as they were. "Best" is the task's main metric, the loss where that is equal, and of equal ones the earlier mode. A
/// layer whose range an observer of its own chose keeps it where no mode is better, so the network is never worse than
/// before the search.
namespace compress::quant {

/// One of the candidates, under the word that an override has for it.
struct ClipMode {
  std::string word;
  std::shared_ptr<const Observer> observer;
};

struct ClipSearchOptions {
  std::string argument;         ///< of an override: "observer" or "clip_acts"
  std::vector<ClipMode> modes;  ///< at least one
  int64_t samples = 512;        ///< training samples with labels
  std::filesystem::path file;   ///< where to write what was chosen, as a map for `overrides`; empty: nowhere
};

/// Distiller's four, NONE, AVG, GAUSS and LAPLACE, as words for `clip_acts`, or as those of the observers that they
/// are.
std::vector<ClipMode> clip_modes(std::string_view argument);

/// What must be observed of the values for the modes to choose their ranges.
StatisticsNeeds clip_search_needs(const std::vector<ClipMode>& modes);

struct ClipSearchResult {
  struct Choice {
    std::string layer;  ///< as in `overrides`
    std::string word;
  };
  std::vector<Choice> choices;
  CalibrationLoss::Result before, after;
  std::string interrupted = {};  ///< how far Ctrl-C let it come, as a sentence; "": to the end
};

/// Searches the grids whose ranges calibration chose, and writes the best into the graph's parameters. `grids` are
/// those that the graph was given, `statistics` of their values. The file is written layer by layer. Ctrl-C ends the
/// search only: the best clips so far stay. Throws a request error when the calibration has no labels.
ClipSearchResult search_clips(Graph& graph,
                              const std::vector<SharedGrid>& grids,
                              const Statistics& statistics,
                              const Calibration& calibration,
                              const ClipSearchOptions& options);

}  // namespace compress::quant
