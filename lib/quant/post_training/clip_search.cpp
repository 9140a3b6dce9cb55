#include "quant/post_training/clip_search.h"

#include "core/file.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "quant/observer/observer.h"
#include "quant/post_training/quantizer_clips.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full_like.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace compress::quant {
namespace {

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

class ClipSearch {
public:
  ClipSearch(Graph& graph,
             const std::vector<SharedGrid>& grids,
             const Statistics& statistics,
             const train::KeptSamples& samples,
             const ClipSearchOptions& options)
      : graph_(graph), statistics_(statistics), options_(options), clips_(quantizer_clips(graph)),
        loss_(graph, samples), task_(samples.task()) {
    for (const auto& grid : grids)
      if (const auto* clip = clip_of(grid)) searched_.emplace_back(&grid, clip);
  }

  ClipSearchResult run() {
    const at::NoGradGuard no_grad;
    result_.before = result_.after = loss_.evaluate();
    size_t done = 0;
    try {
      for (; done < searched_.size(); ++done) search(*searched_[done].first, *searched_[done].second);
    } catch (const Error& error) {
      if (error.fault() != Fault::interrupted) throw;
      forget_interrupt();  // what comes behind the search is to run
      result_.interrupted =
          fmt::format("the clip search was interrupted: {} of {} layers were searched", done, searched_.size());
      log::warning("[clip_search] interrupted at layer {} of {}; the best clips so far stay, and the run goes on",
                   done + 1, searched_.size());
    }
    return std::move(result_);
  }

private:
  /// The parameters of a quantiser.
  struct Written {
    at::Tensor scale, zero_point;
  };

  /// Null: its range is nobody's choice.
  const QuantizerClip* clip_of(const SharedGrid& grid) const {
    if (grid.rule.method != "fixed" || !any_rule(grid, free)) return nullptr;
    const auto of_grid = [&](const QuantizerClip& clip) {
      return std::ranges::find(grid.values, clip.input) != grid.values.end();
    };
    const auto found = std::ranges::find_if(clips_, of_grid);
    return found == clips_.end() ? nullptr : &*found;
  }

  static bool free(const TensorRule& rule) { return rule.clipped && !rule.range; }
  static bool observed(const TensorRule& rule) { return free(rule) && rule.observer != nullptr; }
  static bool any_rule(const SharedGrid& grid, bool (*holds)(const TensorRule&)) {
    for (size_t i = 0; i < grid.values.size(); ++i)
      if (holds(grid.rule_of(i))) return true;
    return false;
  }

  /// Whatever ends it, the best place so far is what stays.
  void search(const SharedGrid& grid, const QuantizerClip& clip) {
    const ClipMode* chosen = nullptr;
    auto best = written(clip);
    const auto settle = [&] {
      write(clip, best);
      if (chosen != nullptr) note(grid, clip, *chosen);
    };
    const bool own = any_rule(grid, observed);
    try {
      for (const auto& mode : options_.modes) {
        const auto found = try_mode(grid, clip, mode);
        // Without an observer the range is that of the first mode already, and that is to be its name.
        const bool first = chosen == nullptr && !own && !better(result_.after, found);
        if (!first && !better(found, result_.after)) continue;
        chosen = &mode;
        best = written(clip);
        result_.after = found;
      }
    } catch (const Error&) {
      settle();
      throw;
    }
    settle();
  }

  Written written(const QuantizerClip& clip) const {
    return {graph_.parameter(clip.scale).value.clone(), graph_.parameter(clip.zero_point).value.clone()};
  }

  void write(const QuantizerClip& clip, const Written& grid) {
    graph_.writable(clip.scale).copy_(grid.scale);
    graph_.writable(clip.zero_point).copy_(grid.zero_point);
    tell(clip);
  }

  void tell(const QuantizerClip& clip) {
    const std::string written[] = {clip.scale, clip.zero_point};
    loss_.changed(written);
  }

  void note(const SharedGrid& grid, const QuantizerClip& clip, const ClipMode& mode) {
    for (size_t i = 0; i < grid.values.size(); ++i)
      if (free(grid.rule_of(i)))
        result_.choices.push_back({.layer = owners(graph_, grid.values[i]).front().name, .word = mode.word});
    log::debug("[clip_search] {}: {} ({} {:.4g}, loss {:.4g})", clip.name(), mode.word, task_.main_metric(),
               result_.after.metric, result_.after.loss);
    if (!options_.file.empty()) write_choices(result_, options_, task_.main_metric());
  }

  CalibrationLoss::Result try_mode(const SharedGrid& grid, const QuantizerClip& clip, const ClipMode& mode) {
    Extremes hull;
    for (size_t i = 0; i < grid.values.size(); ++i) {
      const auto range = range_with(mode, grid.values[i], grid.rule_of(i), clip.spec);
      hull = {std::min(hull.low, range.low), std::max(hull.high, range.high)};
    }
    const auto& scale = graph_.parameter(clip.scale).value;
    set_clip_range(graph_, clip, {at::full_like(scale, hull.low), at::full_like(scale, hull.high)});
    tell(clip);
    return loss_.evaluate_from(clip.name());
  }

  Extremes
  range_with(const ClipMode& mode, const std::string& value, const TensorRule& rule, const ops::GridSpec& spec) const {
    if (rule.range) return *rule.range;
    const auto& seen = statistics_.at(value);
    return rule.clipped ? mode.observer->range(seen, spec) : seen.extremes();
  }

  bool better(const CalibrationLoss::Result& one, const CalibrationLoss::Result& other) const {
    if (one.metric != other.metric && !std::isnan(one.metric))
      return std::isnan(other.metric) ||
             (task_.higher_is_better() ? one.metric > other.metric : one.metric < other.metric);
    return one.loss < other.loss || (std::isnan(other.loss) && !std::isnan(one.loss));
  }

  Graph& graph_;
  const Statistics& statistics_;
  const ClipSearchOptions& options_;
  std::vector<QuantizerClip> clips_;
  std::vector<std::pair<const SharedGrid*, const QuantizerClip*>> searched_;
  CalibrationLoss loss_;
  const train::Task& task_;
  ClipSearchResult result_;
};

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
