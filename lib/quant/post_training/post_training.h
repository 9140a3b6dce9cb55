#pragma once

#include "quant/insertion/grids.h"
#include "quant/quantizer.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace compress::quant {

/// Where the ranges of values come from, and what makes up for the error afterwards.
struct PostTraining {
  int64_t samples = 512;                       ///< training samples to look at
  std::filesystem::path statistics = {};       ///< a file with what was seen, in place of samples; empty: none
  std::filesystem::path save_statistics = {};  ///< where to write what was seen; empty: nowhere
  bool net_aware_ranges = false;               ///< cuts ranges to what the next activation function can tell apart
  std::string clip_search = {};                ///< the argument that it sets, "observer" or "clip_acts"; empty: none
  bool bias_correction = false;
};

/// The arguments of PostTraining that all quantisers have, and their checks.
struct PostTrainingArguments {
  std::optional<int64_t> samples = {};  ///< absent: 512, or the fraction
  std::optional<double> fraction = {};
  std::string statistics = {}, save_statistics = {};

  /// `otherwise`: what holds when neither samples nor statistics are given.
  void declare(Settings& settings, const std::string& statistics_name, const std::string& otherwise);
  void check() const;
  /// A problem when the file of statistics is not there.
  void bind(Problems& problems) const;
  int64_t calibration_samples() const;
  double calibration_fraction() const { return fraction.value_or(0); }
  PostTraining settings(const Calibration& calibration) const;
};

/// Quantises a trained network: folds batch-norm, finds the values that need a grid, looks at them (or reads what was
/// seen), cuts what nobody can tell apart, chooses ranges, inserts quantisers, and makes up for the error as `how`
/// says.
Changes quantize_trained(Graph& graph,
                         const InsertionOptions& options,
                         const PostTraining& how,
                         const Calibration& calibration);

/// Throws a request error when a statistics file cannot tell what some rule's observer wants to know.
void check_rules_for_file(const LayerRule& rule, std::string_view observer);

}  // namespace compress::quant
