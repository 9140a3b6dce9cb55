#pragma once

#include "exec/plan.h"
#include "quant/training/quantizer_bits.h"
#include "support/quantization.h"
#include "train/optimizer.h"
#include "train/task.h"

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace compress::test {

/// Everything that a State refers to, around the residual block, quantised for training.
struct TrainingWorld {
  explicit TrainingWorld(const std::string& arguments) {
    quantize(graph, "QuantAwareTrainRangeLinearQuantizer", "{" + arguments + "}");
    exec::prepare_parameters(graph, at::kCPU);
    optimizer->bind(graph);
  }

  /// The bits of weights and of values, where all have the same.
  std::pair<int64_t, int64_t> bits() const {
    std::pair<int64_t, int64_t> bits{0, 0};
    for (const auto& grid : quant::adjustable_grids(graph)) {
      auto& one = grid.of_weight ? bits.first : bits.second;
      REQUIRE((one == 0 || one == grid.bits));
      one = grid.bits;
    }
    return bits;
  }

  /// One step of training on random images; the output.
  at::Tensor step(uint64_t seed) {
    optimizer->bind(graph);
    optimizer->zero_grad();
    const exec::Plan plan(graph, {.mode = ops::Mode::train});
    const auto y = plan.run(exec::Tensors{random_tensor({8, 3, 8, 8}, seed)})[0];
    y.square().sum().backward();
    optimizer->step();
    return y.detach();
  }

  Graph graph = filled_graph(kResidual);
  std::unique_ptr<train::Optimizer> optimizer =
      train::make_optimizer(parse_yaml("{class: SGD, lr: 0.001, momentum: 0.9}", "recipe.yaml"));
  std::unique_ptr<train::Task> task = train::make_task({}, "classification");
  data::Splits data = {};
  train::State state{
      .graph = graph, .optimizer = *optimizer, .data = data, .task = *task, .epochs = 10, .minibatches = 3};
};

template <class Component>
void read_into(Component& component, const std::string& yaml) {
  Settings settings;
  component.declare(settings);
  settings.read(parse_yaml(yaml, "recipe.yaml"), "test");
}

}  // namespace compress::test
