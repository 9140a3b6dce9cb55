#pragma once

#include "core/text.h"
#include "distill/distiller.h"
#include "graph/text_form.h"
#include "support/check_error.h"
#include "train/optimizer.h"
#include "train/task.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

#include <memory>
#include <string>

namespace compress::distill::test {

inline Graph no_teacher(const std::string& spec) {
  throw request_error("there is no model '{}'", spec);
}

inline std::unique_ptr<Distiller> made(const std::string& class_name, const std::string& arguments) {
  auto distiller = distillers().make(class_name);
  Settings settings;
  distiller->declare(settings);
  settings.read(parse_yaml(arguments, "recipe.yaml"), class_name);
  return distiller;
}

inline void bind_to(Distiller& distiller, const Graph& student, int64_t starting_epoch, const OpenModel& open) {
  Problems problems;
  distiller.check(starting_epoch);
  distiller.bind(student, open, starting_epoch, problems);
  problems.raise();
}

/// sin or cos of (step * 0, step * 1, ...) + start, as feature_values.py makes its tensors.
inline at::Tensor wave(const Shape& shape, double step, double start = 0) {
  int64_t count = 1;
  for (const auto size : shape) count *= size;
  return at::arange(count).to(at::kDouble).mul(step).add(start).sin().to(at::kFloat).view(shape);
}

/// A student with the value `s` of 2 channels and 4 x 4 places, and what surrounds it in training.
struct FeatureWorld {
  FeatureWorld() {
    graph.assign("s.weight", wave({2, 2, 1, 1}, 0.3));
    state.inputs = {wave({3, 2, 4, 4}, 0.7)};
    forward();
  }
  /// As after a forward pass that gave `s` the cosines of feature_values.py.
  void forward() {
    value = wave({3, 2, 4, 4}, 0.4, 1.5707963267948966).set_requires_grad(true);
    state.values["s"] = value;
    state.loss = at::zeros({});
    state.loss_terms.clear();
  }
  /// The gradient of the loss times cos(i), as feature_values.py prints it.
  double gradient() {
    state.loss.backward();
    const auto flat = value.grad().flatten();
    return flat.mul(at::arange(flat.numel()).to(at::kFloat).cos()).sum().item<double>();
  }

  Graph graph = parse_graph("graph student(input: float[N,2,4,4]) -> (output = s)\nparameter s.weight: float[2,2,1,1]\n"
                            "s = Conv(input, %s.weight) kernel_shape=[1,1]\n");
  at::Tensor value;
  std::unique_ptr<train::Optimizer> optimizer = train::make_optimizer({});
  std::unique_ptr<train::Task> task = train::make_task({}, "classification");
  data::Splits data = {};
  train::State state{.graph = graph, .optimizer = *optimizer, .data = data, .task = *task};
};

/// A teacher with the value `t` of so many channels and 4 x 4 places, and `pooled` of 2 x 2.
inline OpenModel teacher_of(int64_t channels) {
  return [channels](const std::string&) {
    auto graph = parse_graph(fmt::format("graph teacher(input: float[N,2,4,4]) -> (output = pooled)\n"
                                         "parameter t.weight: float[{},2,1,1]\n"
                                         "t = Conv(input, %t.weight) kernel_shape=[1,1]\n"
                                         "pooled = AveragePool(t) kernel_shape=[2,2] strides=[2,2]\n",
                                         channels));
    graph.assign("t.weight", wave({channels, 2, 1, 1}, 0.9, 0.2));
    return graph;
  };
}

/// Loss and gradient of one step.
inline void require_step(Distiller& distiller, FeatureWorld& world, double loss, double gradient) {
  world.forward();
  distiller.before_backward_pass(world.state);
  REQUIRE(world.state.loss.item<double>() == Approx(loss).epsilon(1e-5));
  REQUIRE(world.gradient() == Approx(gradient).epsilon(1e-4).margin(1e-6));
}

}  // namespace compress::distill::test
