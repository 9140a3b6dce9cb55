#include "prune/watch.h"

#include "core/interrupt.h"
#include "core/random.h"
#include "exec/plan.h"
#include "train/samples.h"
#include "train/trainer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace compress::prune {

namespace {

// What is seen does not depend on it.
constexpr int64_t kWatchedTogether = 64;

}  // namespace

void watch_values(const train::State& state,
                  int64_t samples,
                  const std::vector<std::string>& values,
                  const std::function<void(std::string_view, const at::Tensor&)>& see) {
  const at::NoGradGuard no_grad;
  const auto& graph = state.graph;
  std::vector<std::string> made;
  for (const auto& value : values)
    if (!graph.is_input(value)) made.push_back(value);
  const exec::Plan plan(graph, {.observe = made, .observer = see});
  const train::SampleChoice choice{.samples = samples,
                                   .batch_size = kWatchedTogether,
                                   .seed = random_key(state.seed, "pruning", {static_cast<uint64_t>(state.step)}),
                                   .device = state.device};
  const auto fields = state.config ? state.config->inputs : std::map<std::string, std::string>();
  train::for_training_samples(graph, state.data, choice, fields, [&](const std::vector<at::Tensor>& inputs) {
    throw_if_interrupted("pruning");
    for (size_t i = 0; i < inputs.size(); ++i)
      if (std::ranges::find(values, graph.inputs[i].name) != values.end()) see(graph.inputs[i].name, inputs[i]);
    if (!made.empty()) plan.run(inputs);
  });
}

}  // namespace compress::prune
