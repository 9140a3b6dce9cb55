#include "quant/post_training/calibrate.h"

#include "exec/plan.h"
#include "ops/grid_method.h"

#include <algorithm>

namespace compress::quant {
namespace {

bool needs_statistics(const TensorRule& rule) {
  return !rule.range && ops::grid_method(rule.method).needs_range;
}

/// Everything that has no observer of its own goes from its least to its greatest number.
Extremes range_of(const Statistics& statistics, const std::string& value, const TensorRule& rule) {
  if (!needs_statistics(rule)) return rule.range.value_or(Extremes{});
  const auto& seen = statistics.at(value);
  return rule.observer ? rule.observer->range(seen, rule.spec()) : seen.extremes();
}

}  // namespace

StatisticsWanted statistics_wanted(const std::vector<SharedGrid>& grids) {
  StatisticsWanted wanted;
  for (const auto& grid : grids)
    for (size_t i = 0; i < grid.values.size(); ++i) {
      const auto& rule = grid.rule_of(i);
      if (!needs_statistics(rule)) continue;
      auto& needs = wanted[grid.values[i]];
      if (rule.observer) needs |= rule.observer->needs();
    }
  return wanted;
}

int64_t for_first_samples(const Graph& graph,
                          const CalibrationBatches& calibration,
                          int64_t samples,
                          const std::function<void(const std::vector<at::Tensor>& inputs)>& consume) {
  const bool fixed = !graph.inputs.empty() && !graph.inputs[0].shape.empty() && graph.inputs[0].shape[0] != kBatch;
  int64_t left = samples;
  const auto give = [&](const std::vector<at::Tensor>& batch, int64_t start, int64_t size) {
    std::vector<at::Tensor> inputs;
    for (const auto& tensor : batch) inputs.push_back(tensor.narrow(0, start, size));
    consume(inputs);
    left -= size;
  };
  calibration([&](const std::vector<at::Tensor>& batch) {
    const int64_t take = batch.empty() ? 0 : std::min(left, batch[0].size(0));
    if (take == 0) return;
    const int64_t size = fixed ? graph.inputs[0].shape[0] : take;
    for (int64_t start = 0; start + size <= take; start += size) give(batch, start, size);
  });
  return samples - left;
}

Statistics observe_statistics(const Graph& graph,
                              const StatisticsWanted& wanted,
                              const CalibrationBatches& calibration,
                              int64_t samples) {
  Statistics statistics;
  std::vector<std::string> made;                           // by nodes
  std::vector<std::pair<size_t, ValueStatistics*>> given;  // graph inputs, with their index
  for (const auto& [name, needs] : wanted) {
    auto& seen = statistics.try_emplace(name, name, needs).first->second;
    const auto input = std::ranges::find(graph.inputs, name, &GraphInput::name);
    if (const auto* constant = graph.find_parameter(name))
      seen.watch(constant->value);
    else if (input != graph.inputs.end())
      given.emplace_back(input - graph.inputs.begin(), &seen);
    else
      made.push_back(name);
  }
  const exec::Plan plan(graph, {.observe = made, .observer = [&](std::string_view name, const at::Tensor& value) {
                                  statistics.find(std::string(name))->second.watch_part(value);
                                }});
  const auto seen_samples = for_first_samples(graph, calibration, samples, [&](const std::vector<at::Tensor>& inputs) {
    for (const auto& [index, seen] : given) seen->watch_part(inputs[index]);
    plan.run(inputs);  // in slices of the batch
    for (auto& [name, seen] : statistics) seen.end_batch();
  });
  if (seen_samples == 0)
    throw run_error("calibration got no sample")
        .hint("give the recipe a 'data' section with a training split that is not empty");
  return statistics;
}

ValueRanges choose_ranges(const Statistics& statistics, const std::vector<SharedGrid>& grids) {
  ValueRanges ranges;
  for (const auto& grid : grids) {
    Extremes range;
    for (size_t i = 0; i < grid.values.size(); ++i) {
      const auto other = range_of(statistics, grid.values[i], grid.rule_of(i));
      range = i == 0 ? other : Extremes{std::min(range.low, other.low), std::max(range.high, other.high)};
    }
    for (const auto& value : grid.values) ranges[value] = range;
  }
  return ranges;
}

}  // namespace compress::quant
