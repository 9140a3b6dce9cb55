#include "train/weight_averages.h"

#include "core/text.h"
#include "ops/quantization_role.h"
#include "train/follow_changes.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>

namespace compress::train {

namespace {

/// The parameters of grids that follow values or weights. An average of zero points is none, nor one of scales that are
/// powers of two: a grid is taken as it is.
std::set<std::string> grids_that_follow(const Graph& graph) {
  std::set<std::string> names;
  for (const Node& node : graph.nodes())
    for (size_t i = ops::first_grid_input(node); i < node.inputs.size(); ++i)
      if (const auto* parameter = graph.find_parameter(node.inputs[i]); parameter && !parameter->trainable)
        names.insert(parameter->name);
  return names;
}

}  // namespace

void EmaConfig::declare(Settings& settings) {
  settings.optional("decay", decay, "share of the old average that is kept in each optimiser step", half_open(0, 1));
  settings.optional("warmup", warmup, "a smaller decay at first: at most (1 + n) / (10 + n) in step n");
  settings.optional("apply", apply,
                    "validate the averages, choose the best epoch by them and end with them; false: they are only "
                    "written, as ema.safetensors");
}

void WeightAverages::update(const Graph& graph) {
  const at::NoGradGuard no_grad;
  const auto n = static_cast<double>(updates_++);
  const double decay = config_.warmup ? std::min(config_.decay, (1 + n) / (10 + n)) : config_.decay;
  if (graph.version() != grids_of_) {
    grids_ = grids_that_follow(graph);
    grids_of_ = graph.version();
  }
  std::vector<at::Tensor> averages, values;
  for (const Parameter& parameter : graph.parameters()) {
    const auto value = parameter.value.detach();
    if (!value.is_floating_point() || grids_.contains(parameter.name)) continue;
    auto& average = averages_[parameter.name];
    if (!average.defined()) {
      average = value.clone();
      continue;
    }
    if (average.sizes() != value.sizes())
      throw run_error("the average of '{}' is {}, but the parameter is {} now", parameter.name,
                      shape_text(average.sizes()), shape_text(value.sizes()))
          .hint("an edit of the graph was not told to the averages (State::apply)");
    // The parameter's memory order, however the average came here: so a resumed run takes the same kernels.
    if (average.strides() != value.strides() || average.device() != value.device())
      average = at::empty_like(value).copy_(average);
    averages.push_back(average);
    values.push_back(value);
  }
  if (!averages.empty()) at::_foreach_lerp_(averages, values, 1 - decay);
}

void WeightAverages::apply(const Changes& changes) {
  follow_changes(averages_, changes);
}

void WeightAverages::put_into(Graph& graph) const {
  const at::NoGradGuard no_grad;
  for (const auto& [name, average] : averages_) {
    const auto* parameter = graph.find_parameter(name);
    if (!parameter || parameter->value.sizes() != average.sizes()) continue;
    auto value = at::empty_like(parameter->value, parameter->value.options().requires_grad(false)).copy_(average);
    if (parameter->mask.defined()) value.mul_(parameter->mask);
    graph.assign(name, value);
  }
}

void WeightAverages::load(std::map<std::string, at::Tensor> tensors, int64_t updates) {
  averages_ = std::move(tensors);
  updates_ = updates;
}

}  // namespace compress::train
