#pragma once

#include "train/trainer.h"
#include "unit/schedule/support.h"

#include <catch2/catch.hpp>

#include <functional>
#include <map>
#include <string>

namespace compress::schedule::test {

using MakeGraph = std::function<Graph()>;

/// What a checkpoint holds.
struct Checkpoint {
  Graph graph{"none"};
  std::map<std::string, at::Tensor> optimizer;
  train::Memory scheduler, trainer;
};

/// As it comes back from a file.
inline train::Memory written(const train::Memory& memory) {
  train::Memory copy{.values = nlohmann::json::parse(memory.values.dump()), .tensors = {}};
  for (const auto& [name, tensor] : memory.tensors) copy.tensors[name] = tensor.clone();
  return copy;
}

/// Trains to the end, from a checkpoint of epoch 1 or from the beginning; fills `checkpoint` on the way.
inline Graph
train_network(const std::string& text, const MakeGraph& make, const Checkpoint* from, Checkpoint* checkpoint) {
  const auto recipe = recipe_of(text);
  const auto data = data::open_splits(recipe.data, 1);
  const auto scheduler = recipe.bind(make(), no_model);
  const auto optimizer = train::make_optimizer(recipe.training.optimizer);
  const auto task = train::make_task({}, "classification");
  auto graph = make();
  task->bind(graph, data.train->fields());
  scheduler->bind_task(*task, data);
  train::Trainer trainer(graph, data, *task, *optimizer, *scheduler, recipe.training, recipe.epochs(),
                         recipe.data.batch_size, 0);
  if (from) {
    graph = from->graph.clone();
    optimizer->bind(graph);
    optimizer->load_state(from->optimizer);
    trainer.load(from->trainer);
    scheduler->load(from->scheduler);
  }
  trainer.after_epoch = [&](const train::State& state) {
    if (!checkpoint || state.epoch != 1) return;
    checkpoint->graph = state.graph.clone();
    for (const auto& [name, tensor] : state.optimizer.state()) checkpoint->optimizer[name] = tensor.clone();
    checkpoint->scheduler = written(scheduler->save());
    checkpoint->trainer = written(trainer.save());
  };
  trainer.run(from ? 2 : 0);
  return trainer.result();
}

inline void require_same_bits(const Graph& a, const Graph& b) {
  REQUIRE(a.parameter_names() == b.parameter_names());
  for (const Parameter& parameter : a.parameters()) {
    INFO(parameter.name);
    REQUIRE(parameter.value.equal(b.parameter(parameter.name).value));
    REQUIRE(parameter.mask.defined() == b.parameter(parameter.name).mask.defined());
    if (parameter.mask.defined()) REQUIRE(parameter.mask.equal(b.parameter(parameter.name).mask));
  }
}

/// Whole and interrupted training end alike. Gives the weights they end with.
inline Graph require_exact_resume(const std::string& recipe, const MakeGraph& make) {
  INFO(recipe);
  Checkpoint checkpoint;
  auto whole = train_network(recipe, make, nullptr, &checkpoint);
  require_same_bits(whole, train_network(recipe, make, &checkpoint, nullptr));
  return whole;
}

}  // namespace compress::schedule::test
