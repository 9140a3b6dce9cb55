#include "quant/post_training/post_training.h"

#include "core/log.h"
#include "core/text.h"
#include "ops/op.h"
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

Graph folded(const Graph& graph) {
  auto copy = graph.clone();
  passes::passes().make("fold_batchnorm")->run(copy);
  return copy;
}

Statistics statistics_in(const std::filesystem::path& file, const Graph& graph, const StatisticsWanted& wanted) {
  std::vector<std::string> values;
  for (const auto& [value, needs] : wanted) values.push_back(value);
  return read_statistics(file, graph, values);
}

Statistics
known_statistics(const Graph& graph, StatisticsWanted wanted, const PostTraining& how, const Calibration& calibration) {
  if (wanted.empty()) return {};
  if (!how.statistics.empty()) return statistics_in(how.statistics, graph, wanted);
  if (!how.clip_search.empty())
    for (auto& [value, needs] : wanted) needs |= clip_search_needs(clip_modes(how.clip_search));
  if (!how.save_statistics.empty())
    for (auto& [value, needs] : wanted) needs.deviation = true;  // whatever observer the file may serve
  auto statistics = observe_statistics(graph, wanted, calibration.batches, how.samples);
  if (!how.save_statistics.empty()) write_statistics(how.save_statistics, graph, statistics);
  return statistics;
}

std::string search(Graph& graph,
                   const std::vector<SharedGrid>& grids,
                   const Statistics& statistics,
                   const PostTraining& how,
                   const Calibration& calibration) {
  const auto file =
      calibration.directory.empty() ? std::filesystem::path() : calibration.directory / "clip_search.yaml";
  return search_clips(
             graph, grids, statistics, calibration,
             {.argument = how.clip_search, .modes = clip_modes(how.clip_search), .samples = how.samples, .file = file})
      .interrupted;
}

/// How many weights get a grid. Throws when one cannot have the groups that its rule wants.
int64_t count_quantised_weights(const Graph& graph, const InsertionOptions& options) {
  int64_t count = 0;
  for (const auto& node : graph.nodes()) {
    const int input = ops::op_of(node).weight_input;
    if (role_under(node, options) != ops::Quantization::weighted || !node.has_input(input)) continue;
    const auto rule = options.rules.find(node).weights;
    const auto* weight = graph.find_parameter(node.inputs[static_cast<size_t>(input)]);
    if (weight == nullptr || !rule.quantised()) continue;
    weight_axes(rule, node, weight->value);
    ++count;
  }
  return count;
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

void PostTrainingArguments::check(bool looks_again) const {
  if (samples && fraction)
    throw request_error("'calibration_samples' and 'calibration_fraction' are both given").hint("keep one of them");
  if (!statistics.empty() && !save_statistics.empty())
    throw request_error("'save_statistics' has nothing to write: the statistics come from '{}'", statistics)
        .hint("leave one of the two out");
  if (!statistics.empty() && (samples || fraction) && !looks_again)
    throw request_error("'{}' has nothing to do: the statistics come from '{}'",
                        samples ? "calibration_samples" : "calibration_fraction", statistics)
        .hint("leave one of the two out");
}

void PostTrainingArguments::bind(Problems& problems) const {
  if (statistics.empty() || std::filesystem::is_regular_file(statistics)) return;
  const bool folder = std::filesystem::is_directory(statistics);
  problems.add(request_error("the statistics file '{}' is {}", statistics, folder ? "a folder" : "not there")
                   .hint("paths are relative to the working directory; save_statistics writes such a file"));
}

int64_t PostTrainingArguments::calibration_samples() const {
  return fraction ? std::numeric_limits<int64_t>::max() : samples.value_or(512);
}

PostTraining PostTrainingArguments::settings(const Calibration& calibration) const {
  if (samples && calibration.samples) warn_of_few_samples("calibration", *samples, calibration.samples->size());
  PostTraining how{.samples = calibration_samples(), .statistics = statistics, .save_statistics = save_statistics};
  if (!how.save_statistics.empty() && how.save_statistics.is_relative() && !calibration.directory.empty())
    how.save_statistics = calibration.directory / how.save_statistics;
  return how;
}

void warn_of_few_samples(std::string_view who, int64_t asked, int64_t there) {
  if (asked > there)
    log::warning("[{}] {} training samples are asked for, and there are {}: all of them are looked at", who,
                 with_commas(asked), with_commas(there));
}

train::Memory memory_of(const std::string& unmet) {
  return {.values = {{"unmet", unmet}}, .tensors = {}};
}

std::string unmet_in(const train::Memory& memory) {
  return memory.values.is_object() ? memory.values.value("unmet", "") : "";
}

void check_names(const LayerRules& rules, const Graph& graph, Problems& problems) {
  rules.check_names(graph, problems, absorbed_norms(graph, folded(graph)));
}

PostTrained quantize_trained(Graph& graph,
                             const InsertionOptions& options,
                             const PostTraining& how,
                             const Calibration& calibration) {
  auto changes = passes::run_all(passes::make_steps({"fold_batchnorm"}), graph);
  const auto reference = how.bias_correction ? graph.clone() : Graph();
  const auto grids = find_grids(graph, options);
  auto statistics = known_statistics(graph, statistics_wanted(grids), how, calibration);
  if (how.net_aware_ranges) make_net_aware(graph, statistics);
  changes.append(insert_quantizers(graph, grids, options, choose_ranges(statistics, grids)));
  if (how.guard != OverflowGuard::automatic) changes.append(guard_overflow_aloud(graph, how.guard));
  std::string unmet;
  if (!how.clip_search.empty()) unmet = search(graph, grids, statistics, how, calibration);
  if (how.bias_correction && unmet.empty())
    changes.append(correct_biases(graph, reference, calibration.batches, how.samples));
  else if (how.bias_correction)
    unmet += ", and biases were not corrected";
  return {std::move(changes), std::move(unmet)};
}

void rehearse(const Graph& graph, const InsertionOptions& options, const std::filesystem::path& statistics) {
  const auto network = folded(graph);
  const auto grids = find_grids(network, options);
  if (count_quantised_weights(network, options) == 0 && grids.empty())
    throw request_error("nothing of '{}' is quantised: every layer stays in floating point", graph.name)
        .hint("give bits to weights or activations, and leave some layer out of the exceptions");
  const auto wanted = statistics_wanted(grids);
  if (!statistics.empty() && !wanted.empty()) statistics_in(statistics, network, wanted);
}

void check_rules_for_file(const LayerRule& rule, std::string_view observer) {
  if (rule.activations.observer) check_file_observer(observer, rule.activations.observer->needs());
}

}  // namespace compress::quant
