#include "quant/post_training/clip_search.h"

#include "core/file.h"
#include "core/log.h"
#include "quant/observer/observer.h"
#include "quant/post_training/quantizer_clips.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full_like.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace compress::quant {
namespace {

class ClipSearch {
public:
  ClipSearch(Graph& graph,
             const std::vector<SharedGrid>& grids,
             const Statistics& statistics,
             const train::KeptSamples& samples,
             const ClipSearchOptions& options)
      : graph_(graph), grids_(grids), statistics_(statistics), options_(options), clips_(quantizer_clips(graph)),
        loss_(graph, samples), task_(samples.task()) {}

  ClipSearchResult run() {
    const at::NoGradGuard no_grad;
    result_.before = result_.after = loss_.evaluate();
    for (const auto& grid : grids_)
      if (const auto* clip = clip_of(grid)) search(grid, *clip);
    return std::move(result_);
  }

private:
  /// Null: its range is nobody's choice.
  const QuantizerClip* clip_of(const SharedGrid& grid) const {
    if (grid.rule.method != "fixed" || grid.rule.range || !grid.rule.clipped) return nullptr;
    const auto of_grid = [&](const QuantizerClip& clip) {
      return std::ranges::find(grid.values, clip.input) != grid.values.end();
    };
    const auto found = std::ranges::find_if(clips_, of_grid);
    return found == clips_.end() ? nullptr : &*found;
  }

  void search(const SharedGrid& grid, const QuantizerClip& clip) {
    std::optional<size_t> best;
    for (size_t i = 0; i < options_.modes.size(); ++i) {
      const auto found = try_mode(grid, clip, options_.modes[i]);
      if (best && !better(found, result_.after)) continue;
      best = i;
      result_.after = found;
    }
    const auto& mode = options_.modes[*best];
    set(grid, clip, mode);
    for (const auto& value : grid.values)
      result_.choices.push_back({.layer = owners(graph_, value).front().name, .word = mode.word});
    log::debug("[clip_search] {}: {} ({} {:.4g}, loss {:.4g})", clip.name(), mode.word, task_.main_metric(),
               result_.after.metric, result_.after.loss);
  }

  CalibrationLoss::Result try_mode(const SharedGrid& grid, const QuantizerClip& clip, const ClipMode& mode) {
    set(grid, clip, mode);
    return loss_.evaluate_from(clip.name());
  }

  void set(const SharedGrid& grid, const QuantizerClip& clip, const ClipMode& mode) {
    Extremes hull;
    for (const auto& value : grid.values) {
      const auto range = mode.observer->range(statistics_.at(value), clip.spec);
      hull = {std::min(hull.low, range.low), std::max(hull.high, range.high)};
    }
    const auto& scale = graph_.parameter(clip.scale).value;
    set_clip_range(graph_, clip, {at::full_like(scale, hull.low), at::full_like(scale, hull.high)});
    const std::string written[] = {clip.scale, clip.zero_point};
    loss_.changed(written);
  }

  bool better(const CalibrationLoss::Result& one, const CalibrationLoss::Result& other) const {
    if (one.metric != other.metric && !std::isnan(one.metric))
      return std::isnan(other.metric) ||
             (task_.higher_is_better() ? one.metric > other.metric : one.metric < other.metric);
    return one.loss < other.loss || (std::isnan(other.loss) && !std::isnan(one.loss));
  }

  Graph& graph_;
  const std::vector<SharedGrid>& grids_;
  const Statistics& statistics_;
  const ClipSearchOptions& options_;
  std::vector<QuantizerClip> clips_;
  CalibrationLoss loss_;
  const train::Task& task_;
  ClipSearchResult result_;
};

void write_choices(const ClipSearchResult& result, const ClipSearchOptions& options, const std::string& metric) {
  auto root = Yaml::map();
  for (const auto& [layer, word] : result.choices) {
    auto entry = Yaml::map();
    entry.set(options.argument, Yaml::scalar(word));
    root.set(layer, std::move(entry));
  }
  write_file(options.file,
             fmt::format("# Clip modes for 'overrides': {} {:.4g} -> {:.4g}, loss {:.4g} -> {:.4g}\n", metric,
                         result.before.metric, result.after.metric, result.before.loss, result.after.loss) +
                 to_text(root));
}

}  // namespace

std::vector<ClipMode> clip_modes(std::string_view argument) {
  constexpr std::pair<const char*, const char*> kModes[] = {
      {"NONE", "min_max"}, {"AVG", "averaged_min_max"}, {"GAUSS", "aciq_gauss"}, {"LAPLACE", "aciq_laplace"}};
  std::vector<ClipMode> modes;
  for (const auto& [distiller, observer] : kModes)
    modes.push_back({.word = argument == "clip_acts" ? distiller : observer, .observer = observers().make(observer)});
  return modes;
}

StatisticsNeeds clip_search_needs(const std::vector<ClipMode>& modes) {
  StatisticsNeeds needs;
  for (const auto& mode : modes) needs |= mode.observer->needs();
  return needs;
}

ClipSearchResult search_clips(Graph& graph,
                              const std::vector<SharedGrid>& grids,
                              const Statistics& statistics,
                              const Calibration& calibration,
                              const ClipSearchOptions& options) {
  const auto samples = labelled_samples(calibration, options.samples);
  auto result = ClipSearch(graph, grids, statistics, samples, options).run();
  const auto metric = samples.task().main_metric();
  log::info("[clip_search] {} layers: {} {:.4g} -> {:.4g}, loss {:.4g} -> {:.4g} on {} training samples",
            result.choices.size(), metric, result.before.metric, result.after.metric, result.before.loss,
            result.after.loss, samples.size());
  if (!options.file.empty()) write_choices(result, options, metric);
  return result;
}

}  // namespace compress::quant
