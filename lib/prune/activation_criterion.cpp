#include "prune/activation_criterion.h"

#include "analysis/channel_role.h"
#include "graph/select.h"
#include "prune/gradient_criterion.h"
#include "prune/layer_activation.h"
#include "prune/watch.h"

#include <ATen/TensorOperators.h>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace compress::prune {

void ActivationCriterion::declare(Settings& settings) {
  settings.optional("samples", samples_, "training images to collect statistics from, each time masks are set",
                    at_least(1));
}

void ActivationCriterion::check(const Graph& graph,
                                const std::string& name,
                                const analysis::Granularity& granularity) const {
  if (granularity.axis() != 0 || (!granularity.by_layer() && analysis::weight_axis(graph, name, true) != 0))
    throw request_error("activations tell how strong the output channels of '{}' are, not other parts of it", name)
        .hint("granularity: filter");
  const auto points = layer_activations(graph, name);
  if (points.empty()) throw request_error("no convolutional or linear layer reads '{}'", name);
  for (const auto& point : points)
    if (needs_zeros() && !point.zeros)
      throw request_error("{} behind '{}': zeros of its activations cannot be counted",
                          point.op.empty()
                              ? "there is no activation function"
                              : fmt::format("the activation function {}, which makes no zeros, is", point.op),
                          name)
          .hint("leave it out of 'weights', or take the criterion mean_activation");
}

void ActivationCriterion::bind(const Graph& graph,
                               const std::vector<std::string>& parameters,
                               const analysis::Granularity& granularity,
                               Problems& problems) {
  names_ = parameters;
  for (const auto& name : names_) problems.capture([&] { check(graph, name, granularity); });
}

void ActivationCriterion::collect(train::State& state) {
  std::map<std::string, std::vector<LayerActivation>> points;
  std::map<std::string, analysis::ActivationStatistics> statistics;
  for (const auto& name : names_)
    for (const auto& point : points[name] = layer_activations(state.graph, name))
      statistics.try_emplace(point.value, point.axis);
  std::vector<std::string> values;
  for (const auto& [value, unused] : statistics) values.push_back(value);
  watch_values(state, samples_, values, [&](std::string_view value, const at::Tensor& tensor) {
    statistics.at(std::string(value)).add(tensor);
  });
  strengths_.clear();
  for (const auto& [name, own] : points) {
    at::Tensor sum;
    for (const auto& point : own) {
      const auto strengths = strengths_of(statistics.at(point.value).values());
      sum = sum.defined() ? sum + strengths : strengths;
    }
    if (sum.defined()) strengths_[name] = sum / static_cast<double>(own.size());
  }
}

bool ActivationCriterion::ready() const {
  return std::ranges::all_of(names_, [&](const auto& name) { return strengths_.contains(name); });
}

at::Tensor ActivationCriterion::strengths(const Candidate& candidate) const {
  const auto found = strengths_.find(candidate.parameter);
  if (found == strengths_.end())
    throw run_error("no activations of the layer of '{}' were seen, so that its filters cannot be ranked",
                    candidate.parameter);
  const auto device = candidate.graph.parameter(candidate.parameter).value.device();
  return behind_all_others(found->second.to(device, at::kFloat), candidate);
}

// Statistics are those of the network as it is, and are collected anew whenever masks are set.
void ActivationCriterion::apply(const Changes& changes) {
  follow(names_, changes);
  strengths_.clear();
}

train::Memory ActivationCriterion::save() const {
  return {.values = {{"parameters", names_}}, .tensors = {}};
}

void ActivationCriterion::load(const train::Memory& memory) {
  memory.values.at("parameters").get_to(names_);
  strengths_.clear();
}

}  // namespace compress::prune
