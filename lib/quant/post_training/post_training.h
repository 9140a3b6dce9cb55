#pragma once

#include "quant/export/overflow_guard.h"
#include "quant/insertion/grids.h"
#include "quant/quantizer.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace compress::quant {

/// Where the ranges of values come from, and what makes up for the error afterwards.
struct PostTraining {
  int64_t samples = 512;                           ///< training samples to look at
  std::filesystem::path statistics = {};           ///< a file with what was seen, in place of samples; empty: none
  std::filesystem::path save_statistics = {};      ///< where to write what was seen; empty: nowhere
  bool net_aware_ranges = false;                   ///< cuts ranges to what the next activation function can tell apart
  OverflowGuard guard = OverflowGuard::automatic;  ///< what is done to weights, before the search and the correction
  std::string clip_search = {};  ///< the argument that it sets, "observer" or "clip_acts"; empty: none
  bool bias_correction = false;
};

/// What became of a network.
struct PostTrained {
  Changes changes;
  std::string unmet = {};  ///< Quantizer::unmet()
};

/// PostTrained::unmet as what a quantiser keeps across a resume, and back.
train::Memory memory_of(const std::string& unmet);
std::string unmet_in(const train::Memory& memory);

/// Says in the log, for `who`, when fewer training samples are there than are asked for.
void warn_of_few_samples(std::string_view who, int64_t asked, int64_t there);

/// The arguments of PostTraining that all quantisers have, and their checks.
struct PostTrainingArguments {
  std::optional<int64_t> samples = {};  ///< absent: 512, or the fraction
  std::optional<double> fraction = {};
  std::string statistics = {}, save_statistics = {};

  /// `otherwise`: what holds when neither samples nor statistics are given.
  void declare(Settings& settings, const std::string& statistics_name, const std::string& otherwise);
  /// `looks_again`: samples are looked at for other things than statistics too.
  void check(bool looks_again) const;
  /// A problem when the file of statistics is no file.
  void bind(Problems& problems) const;
  int64_t calibration_samples() const;
  double calibration_fraction() const { return fraction.value_or(0); }
  PostTraining settings(const Calibration& calibration) const;
};

/// Adds a problem for each pattern of the rules that matches nothing in the graph, or nothing but batch-norm that
/// quantize_trained() folds.
void check_names(const LayerRules& rules, const Graph& graph, Problems& problems);

/// Quantises a trained network: folds batch-norm, finds the values that need a grid, looks at them (or reads what was
/// seen), cuts what nobody can tell apart, chooses ranges, inserts quantisers, and makes up for the error as `how`
/// says.
PostTrained quantize_trained(Graph& graph,
                             const InsertionOptions& options,
                             const PostTraining& how,
                             const Calibration& calibration);

/// Throws a request error that quantize_trained() would throw before it looks at samples: groups that do not divide a
/// weight, statistics of another model, rules by which nothing is quantised.
void rehearse(const Graph& graph, const InsertionOptions& options, const std::filesystem::path& statistics);

/// Throws a request error when a statistics file cannot tell what some rule's observer wants to know.
void check_rules_for_file(const LayerRule& rule, std::string_view observer);

}  // namespace compress::quant
