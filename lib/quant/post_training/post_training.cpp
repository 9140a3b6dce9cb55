#include "quant/post_training/post_training.h"

#include "passes/pass.h"
#include "quant/insertion/insertion.h"
#include "quant/post_training/bias_correction.h"
#include "quant/post_training/calibrate.h"
#include "quant/post_training/clip_search.h"
#include "quant/post_training/net_aware.h"
#include "quant/statistics/statistics_file.h"

#include <filesystem>
#include <limits>

namespace compress::quant {
namespace {

Statistics
known_statistics(const Graph& graph, StatisticsWanted wanted, const PostTraining& how, const Calibration& calibration) {
  if (wanted.empty()) return {};
  if (!how.statistics.empty()) {
    std::vector<std::string> values;
    for (const auto& [value, needs] : wanted) values.push_back(value);
    return read_statistics(how.statistics, graph, values);
  }
  if (!how.clip_search.empty())
    for (auto& [value, needs] : wanted) needs |= clip_search_needs(clip_modes(how.clip_search));
  if (!how.save_statistics.empty())
    for (auto& [value, needs] : wanted) needs.deviation = true;  // whatever observer the file may serve
  auto statistics = observe_statistics(graph, wanted, calibration.batches, how.samples);
  if (!how.save_statistics.empty()) write_statistics(how.save_statistics, graph, statistics);
  return statistics;
}

void search(Graph& graph,
            const std::vector<SharedGrid>& grids,
            const Statistics& statistics,
            const PostTraining& how,
            const Calibration& calibration) {
  const auto file =
      calibration.directory.empty() ? std::filesystem::path() : calibration.directory / "clip_search.yaml";
  search_clips(
      graph, grids, statistics, calibration,
      {.argument = how.clip_search, .modes = clip_modes(how.clip_search), .samples = how.samples, .file = file});
}

}  // namespace

void PostTrainingArguments::declare(Settings& s, const std::string& statistics_name, const std::string& otherwise) {
  s.optional("calibration_samples", samples, "training samples that calibration runs on; " + otherwise, at_least(1));
  s.optional("calibration_fraction", fraction,
             "share of the training samples that calibration runs on, in place of calibration_samples",
             Range{.low = 0, .high = 1, .open_low = true});
  s.optional(statistics_name, statistics,
             "file with the statistics of values (Distiller's acts_quantization_stats.yaml), in place of calibration");
  s.optional("save_statistics", save_statistics, "file to write what calibration saw");
}

void PostTrainingArguments::check() const {
  if (samples && fraction)
    throw request_error("'calibration_samples' and 'calibration_fraction' are both given").hint("keep one of them");
  if (!statistics.empty() && !save_statistics.empty())
    throw request_error("'save_statistics' has nothing to write: the statistics come from '{}'", statistics)
        .hint("leave one of the two out");
}

void PostTrainingArguments::bind(Problems& problems) const {
  if (statistics.empty() || std::filesystem::is_regular_file(statistics)) return;
  problems.add(request_error("the statistics file '{}' is not there", statistics)
                   .hint("paths are relative to the working directory; save_statistics writes such a file"));
}

int64_t PostTrainingArguments::calibration_samples() const {
  return fraction ? std::numeric_limits<int64_t>::max() : samples.value_or(512);
}

PostTraining PostTrainingArguments::settings(const Calibration& calibration) const {
  PostTraining how{.samples = calibration_samples(), .statistics = statistics, .save_statistics = save_statistics};
  if (!how.save_statistics.empty() && how.save_statistics.is_relative() && !calibration.directory.empty())
    how.save_statistics = calibration.directory / how.save_statistics;
  return how;
}

Changes quantize_trained(Graph& graph,
                         const InsertionOptions& options,
                         const PostTraining& how,
                         const Calibration& calibration) {
  auto changes = passes::run_all(passes::make_steps({"fold_batchnorm"}), graph);
  const auto reference = how.bias_correction ? graph.clone() : Graph();
  const auto grids = find_grids(graph, options);
  auto statistics = known_statistics(graph, statistics_wanted(grids), how, calibration);
  if (how.net_aware_ranges) make_net_aware(graph, statistics);
  changes.append(insert_quantizers(graph, grids, options, choose_ranges(statistics, grids)));
  if (!how.clip_search.empty()) search(graph, grids, statistics, how, calibration);
  if (how.bias_correction) changes.append(correct_biases(graph, reference, calibration.batches, how.samples));
  return changes;
}

void check_rules_for_file(const LayerRule& rule, std::string_view observer) {
  if (rule.activations.observer) check_file_observer(observer, rule.activations.observer->needs());
}

}  // namespace compress::quant
