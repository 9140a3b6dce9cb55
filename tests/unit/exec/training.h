#pragma once

#include "networks.h"

namespace compress::test {

/// Outputs, parameter and input gradients, and statistics of one training step.
inline exec::Tensors train_step(const Graph& original, const exec::Tensors& inputs, bool optimize) {
  auto graph = original.clone();
  graph.own_storage();
  exec::prepare_parameters(graph, at::kCPU);
  for (auto& parameter : graph.parameters())
    if (parameter.trainable) parameter.value.requires_grad_(true);
  exec::Tensors given;
  for (const auto& input : inputs) given.push_back(input.clone().requires_grad_(true));
  const exec::Plan plan(graph, {.mode = ops::Mode::train, .optimize = optimize});
  auto results = plan.run(given);
  auto loss = results[0].mul(image(results[0].sizes().vec(), 5)).sum();
  for (size_t i = 1; i < results.size(); ++i) loss = loss.add(results[i].square().sum());
  loss.backward();
  for (auto& result : results) result = result.detach();
  for (const auto& input : given) results.push_back(input.grad());
  for (auto& parameter : graph.parameters()) {
    if (!parameter.trainable) results.push_back(parameter.value);
    if (parameter.trainable && parameter.value.grad().defined()) results.push_back(parameter.value.grad());
  }
  return results;
}

inline void
require_same_training(const Graph& graph, const exec::Tensors& inputs, size_t steps, double tolerance = 1e-4) {
  const exec::Plan plan(graph, {.mode = ops::Mode::train});
  INFO(plan.str());
  REQUIRE(step_count(plan) == steps);
  require_same_outputs(train_step(graph, inputs, true), train_step(graph, inputs, false), tolerance);
}

}  // namespace compress::test
