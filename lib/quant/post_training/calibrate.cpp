#include "quant/post_training/calibrate.h"

#include "exec/plan.h"
#include "ops/grid_method.h"

#include <algorithm>

namespace compress::quant {
namespace {

/// Everything that has no observer of its own goes from its least to its greatest number.
Extremes range_of(const ValueStatistics& seen, const TensorRule& rule) {
  return rule.observer ? rule.observer->range(seen, rule.spec()) : seen.extremes();
}

bool needs_statistics(const TensorRule& rule) {
  return !rule.range && ops::grid_method(rule.method).needs_range;
}

}  // namespace

StatisticsWanted statistics_wanted(const std::vector<SharedGrid>& grids) {
  StatisticsWanted wanted;
  for (const auto& grid : grids) {
    if (!needs_statistics(grid.rule)) continue;
    for (const auto& value : grid.values) {
      auto& needs = wanted[value];
      if (grid.rule.observer) needs |= grid.rule.observer->needs();
    }
  }
  return wanted;
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
                                  statistics.find(std::string(name))->second.watch(value);
                                }});
  int64_t left = samples;
  calibration([&](const std::vector<at::Tensor>& batch) {
    const int64_t take = batch.empty() ? 0 : std::min(left, batch[0].size(0));
    if (take == 0) return;
    std::vector<at::Tensor> inputs;
    for (const auto& tensor : batch) inputs.push_back(tensor.narrow(0, 0, take));
    for (const auto& [index, seen] : given) seen->watch(inputs[index]);
    plan.run(inputs);
    left -= take;
  });
  if (left == samples)
    throw run_error("calibration got no sample")
        .hint("give the recipe a 'data' section with a training split that is not empty");
  return statistics;
}

ValueRanges choose_ranges(const Statistics& statistics, const std::vector<SharedGrid>& grids) {
  ValueRanges ranges;
  for (const auto& grid : grids) {
    auto range = grid.rule.range.value_or(Extremes{});
    for (size_t i = 0; i < grid.values.size() && needs_statistics(grid.rule); ++i) {
      const auto other = range_of(statistics.at(grid.values[i]), grid.rule);
      range = i == 0 ? other : Extremes{std::min(range.low, other.low), std::max(range.high, other.high)};
    }
    for (const auto& value : grid.values) ranges[value] = range;
  }
  return ranges;
}

}  // namespace compress::quant
