#include "quant/calibrate.h"

#include "exec/plan.h"

#include <algorithm>
#include <cmath>

namespace compress::quant {
namespace {

class RangeObserver {
public:
  void see(std::string_view name, const at::Tensor& value) {
    const double low = value.min().item<double>(), high = value.max().item<double>();
    if (!std::isfinite(low) || !std::isfinite(high))
      throw run_error("value '{}' is not finite during calibration", name)
          .hint("check the model's weights and the normalisation of the data");
    const auto [place, first] = ranges_.try_emplace(std::string(name), Extremes{low, high});
    if (first) return;
    place->second.low = std::min(place->second.low, low);
    place->second.high = std::max(place->second.high, high);
  }
  ValueRanges take() { return std::move(ranges_); }

private:
  ValueRanges ranges_;
};

}  // namespace

ValueRanges observe_ranges(const Graph& graph,
                           const std::vector<std::string>& names,
                           const CalibrationBatches& calibration,
                           int64_t samples) {
  RangeObserver observer;
  std::vector<std::string> made;                      // by nodes
  std::vector<std::pair<size_t, std::string>> given;  // graph inputs, with their index
  for (const auto& name : names) {
    const auto input = std::ranges::find(graph.inputs, name, &GraphInput::name);
    if (const auto* constant = graph.find_parameter(name))
      observer.see(name, constant->value);
    else if (input != graph.inputs.end())
      given.emplace_back(input - graph.inputs.begin(), name);
    else
      made.push_back(name);
  }
  const exec::Plan plan(graph, {.observe = made, .observer = [&](std::string_view name, const at::Tensor& value) {
                                  observer.see(name, value);
                                }});
  int64_t left = samples;
  calibration([&](const std::vector<at::Tensor>& batch) {
    const int64_t take = batch.empty() ? 0 : std::min(left, batch[0].size(0));
    if (take == 0) return;
    std::vector<at::Tensor> inputs;
    for (const auto& tensor : batch) inputs.push_back(tensor.narrow(0, 0, take));
    for (const auto& [index, name] : given) observer.see(name, inputs[index]);
    plan.run(inputs);
    left -= take;
  });
  if (left == samples)
    throw run_error("calibration got no sample")
        .hint("give the recipe a 'data' section with a training split that is not empty");
  return observer.take();
}

}  // namespace compress::quant
