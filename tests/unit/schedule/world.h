#pragma once

#include "graph/text_form.h"
#include "schedule/scheduler.h"
#include "train/hook.h"
#include "train/optimizer.h"
#include "train/task.h"
#include "unit/schedule/support.h"

#include <ATen/ops/full.h>

#include <memory>
#include <string>

namespace compress::schedule::test {

/// Everything that a State refers to, around a linear layer with weights 1, 2, 3, 4.
struct World {
  Graph graph = linear();
  std::unique_ptr<train::Optimizer> optimizer = train::make_optimizer({});
  std::unique_ptr<train::Task> task = train::make_task({}, "classification");
  data::Splits data = {};
  train::State state{
      .graph = graph, .optimizer = *optimizer, .data = data, .task = *task, .epochs = 10, .minibatches = 3};

  World() { optimizer->bind(graph); }

  static Graph linear() {
    auto graph = parse_graph("graph g(input: float[N,2]) -> (output = fc)\nparameter fc.weight: float[2,2]\n"
                             "parameter fc.bias: float[2]\nfc = Gemm(input, %fc.weight, %fc.bias) transB=1\n");
    graph.assign("fc.weight", at::arange(1, 5).to(at::kFloat).view({2, 2}).set_requires_grad(true));
    graph.parameter("fc.bias").value.set_requires_grad(true);
    return graph;
  }

  std::vector<float> weights() const {
    const auto flat = graph.parameter("fc.weight").value.detach().contiguous();
    return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
  }

  /// One mini-batch without forward pass: the gradient is `gradient` everywhere and the optimiser subtracts it.
  /// Returns the weights as the forward pass would have seen them.
  std::vector<float> minibatch(Scheduler& scheduler, float gradient) {
    scheduler.on_minibatch_begin(state);
    auto seen = weights();
    auto& weight = graph.writable("fc.weight");
    weight.mutable_grad() = at::full({2, 2}, gradient);
    scheduler.before_parameter_optimization(state);
    weight.data().sub_(weight.grad());
    scheduler.on_minibatch_end(state);
    ++state.minibatch;
    ++state.step;
    return seen;
  }

  void begin_epoch(Scheduler& scheduler, int64_t epoch) {
    state.epoch = epoch;
    state.minibatch = 0;
    scheduler.on_epoch_begin(state);
  }
};

using Weights = std::vector<float>;

inline std::unique_ptr<Scheduler> bound(const std::string& recipe, const Graph& graph) {
  return recipe_of(recipe).bind(graph, no_model);
}

}  // namespace compress::schedule::test
