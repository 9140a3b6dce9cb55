#include "train/optimizer.h"

#include "optimizer_values.h"
#include "small_graphs.h"
#include "support/check_error.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>

#include <catch2/catch.hpp>

namespace compress::train {
namespace {

using namespace compress::train::test;
using compress::test::require_error;

at::Tensor sines(const std::vector<int64_t>& sizes, int start) {
  at::Tensor tensor = at::empty(sizes, at::kFloat);
  float* numbers = tensor.mutable_data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i)
    numbers[i] = static_cast<float>(std::sin(static_cast<double>(start + i)));
  return tensor;
}

/// The layer of optimizer_values.py.
Graph start_graph() {
  Graph graph = linear_net();
  graph.assign("fc.weight", sines({2, 3}, 0));
  graph.assign("fc.bias", sines({2}, 100));
  return graph;
}

void step(Graph& graph, Optimizer& optimizer, int k) {
  const auto give = [&](const char* name, int start) {
    auto& value = graph.parameter(name).value;
    value.mutable_grad() = sines(value.sizes().vec(), start);
  };
  give("fc.weight", 10 * (k + 1));
  give("fc.bias", 10 * (k + 1) + 50);
  optimizer.step();
}

void require_values(const Graph& graph, const std::vector<double>& expected) {
  const auto values = weights_of(graph);
  REQUIRE(values.size() == expected.size());
  for (size_t i = 0; i < values.size(); ++i) REQUIRE(values[i] == Approx(expected[i]).epsilon(2e-6).margin(1e-7));
}

TEST_CASE("optimisers: five steps end where PyTorch's do", "[train]") {
  for (const auto& example : kOptimizerCases) {
    INFO(example.name << " " << example.arguments);
    Graph graph = start_graph();
    const auto optimizer = make(optimizers(), example.name, example.arguments);
    optimizer->bind(graph);
    for (int k = 0; k < kOptimizerSteps; ++k) step(graph, *optimizer, k);
    require_values(graph, example.values);
  }
}

TEST_CASE("optimisers: state saved and loaded by name goes on with the same bits", "[train]") {
  for (const auto& example : kOptimizerCases) {
    INFO(example.name << " " << example.arguments);
    Graph graph = start_graph();
    const auto optimizer = make(optimizers(), example.name, example.arguments);
    optimizer->bind(graph);
    for (int k = 0; k < 3; ++k) step(graph, *optimizer, k);

    Graph copy = graph.clone();
    const auto resumed = make(optimizers(), example.name, example.arguments);
    resumed->load_state(optimizer->state());
    resumed->bind(copy);
    graph.own_storage();
    optimizer->bind(graph);
    for (int k = 3; k < kOptimizerSteps; ++k) {
      step(graph, *optimizer, k);
      step(copy, *resumed, k);
    }
    REQUIRE(weights_of(graph) == weights_of(copy));
    require_values(graph, example.values);
  }
}

TEST_CASE("optimisers: state keeps PyTorch's names with the parameter's behind them", "[train]") {
  Graph graph = start_graph();
  const auto optimizer = make(optimizers(), "Adam");
  REQUIRE(optimizer->state().empty());
  optimizer->bind(graph);
  step(graph, *optimizer, 0);
  const auto state = optimizer->state();
  REQUIRE(state.size() == 6);
  REQUIRE(state.at("step/fc.bias").item<int64_t>() == 1);
  REQUIRE(state.at("exp_avg_sq/fc.weight").sizes().vec() == Shape{2, 3});
}

TEST_CASE("optimisers: after a slice the remaining entries go on as if nothing had happened", "[train]") {
  for (const auto& example : kOptimizerCases) {
    INFO(example.name << " " << example.arguments);
    Graph whole = start_graph(), sliced = start_graph();
    const auto reference = make(optimizers(), example.name, example.arguments);
    const auto optimizer = make(optimizers(), example.name, example.arguments);
    reference->bind(whole);
    optimizer->bind(sliced);
    for (int k = 0; k < 2; ++k) {
      step(whole, *reference, k);
      step(sliced, *optimizer, k);
    }
    // Input 1 of 3 is cut off. The gradients of the rest must be those of the whole.
    const auto kept = [](const at::Tensor& all) { return at::stack({all.select(1, 0), all.select(1, 2)}, 1); };
    sliced.assign("fc.weight", kept(sliced.parameter("fc.weight").value.detach()));
    optimizer->apply({.sliced = {{.parameter = "fc.weight", .axis = 1, .kept = {0, 2}}}});
    optimizer->bind(sliced);
    for (int k = 2; k < kOptimizerSteps; ++k) {
      step(whole, *reference, k);
      sliced.parameter("fc.weight").value.mutable_grad() = kept(whole.parameter("fc.weight").value.grad());
      sliced.parameter("fc.bias").value.mutable_grad() = whole.parameter("fc.bias").value.grad().clone();
      optimizer->step();
    }
    REQUIRE(sliced.parameter("fc.weight").value.equal(kept(whole.parameter("fc.weight").value.detach())));
  }
}

TEST_CASE("optimisers: state follows renames and goes with removed parameters", "[train]") {
  Graph graph = start_graph();
  const auto optimizer = make(optimizers(), "SGD", "{momentum: 0.9}");
  optimizer->bind(graph);
  step(graph, *optimizer, 0);
  optimizer->apply({.renamed = {{"fc.weight", "head.weight"}}, .removed = {"fc.bias"}});
  const auto state = optimizer->state();
  REQUIRE(state.size() == 1);
  REQUIRE(state.contains("momentum_buffer/head.weight"));
}

TEST_CASE("optimisers: an edit that nobody told about is refused", "[train]") {
  Graph graph = start_graph();
  const auto optimizer = make(optimizers(), "SGD", "{momentum: 0.9}");
  optimizer->bind(graph);
  step(graph, *optimizer, 0);
  graph.assign("fc.weight", sines({2, 2}, 0));
  require_error([&] { optimizer->bind(graph); },
                "the optimiser's 'momentum_buffer' of 'fc.weight' is 2x3, but the parameter is 2x2 now",
                "State::apply");
}

TEST_CASE("optimisers: the learning-rate factor works on every group", "[train]") {
  Graph graph = start_graph();
  const auto optimizer = make(optimizers(), "SGD", "{lr: 0.5, groups: [{parameters: ['*.bias'], lr: 0.1}]}");
  optimizer->bind(graph);
  optimizer->set_lr_factor(0.5);
  REQUIRE(optimizer->base_lr() == 0.5);
  REQUIRE(optimizer->lr() == 0.25);
  const double weight = graph.parameter("fc.weight").value.flatten()[1].item<double>(),
               bias = graph.parameter("fc.bias").value[0].item<double>();
  step(graph, *optimizer, 0);
  REQUIRE(graph.parameter("fc.weight").value.flatten()[1].item<double>() == Approx(weight - 0.25 * std::sin(11.0)));
  REQUIRE(graph.parameter("fc.bias").value[0].item<double>() == Approx(bias - 0.05 * std::sin(60.0)));
}

TEST_CASE("optimisers: a group that others add works as one of the recipe, behind those", "[train]") {
  const auto after = [](const char* arguments, const std::vector<ParameterGroup>& added) {
    Graph graph = start_graph();
    const auto optimizer = make(optimizers(), "SGD", arguments);
    for (const auto& group : added) REQUIRE(optimizer->add_group(group));
    optimizer->bind(graph);
    step(graph, *optimizer, 0);
    return weights_of(graph);
  };
  const ParameterGroup decay{.parameters = {"*.bias"}, .weight_decay = 0.5};
  const auto expected = after("{lr: 0.1, groups: [{parameters: ['*.bias'], weight_decay: 0.5}]}", {});
  REQUIRE(after("{lr: 0.1}", {decay}) == expected);
  REQUIRE(after("{lr: 0.1}", {{.parameters = {"*.bias"}, .weight_decay = 0.1}, decay}) == expected);
  REQUIRE(after("{lr: 0.1, groups: [{parameters: ['fc.*']}]}", {decay}) == after("{lr: 0.1}", {}));
  const auto optimizer = make(optimizers(), "SGD", "{lr: 0.1}");
  REQUIRE(optimizer->add_group(decay));
  REQUIRE_FALSE(optimizer->add_group(decay));
}

/// Where one of the optimisers' first steps with `momentum` set from outside ends, if anything is changed by it.
std::vector<float> after_steps(const char* name, const char* arguments, std::optional<double> momentum) {
  Graph graph = start_graph();
  const auto optimizer = make(optimizers(), name, arguments);
  optimizer->bind(graph);
  for (int k = 0; k < 3; ++k) {
    if (k > 0) optimizer->set_momentum(momentum);
    step(graph, *optimizer, k);
  }
  return weights_of(graph);
}

TEST_CASE("optimisers: momentum from outside takes the place of the declared one, and gives it back", "[train]") {
  REQUIRE(after_steps("SGD", "{momentum: 0.5}", 0.9) == [] {
    Graph graph = start_graph();
    auto optimizer = make(optimizers(), "SGD", "{momentum: 0.5}");
    optimizer->bind(graph);
    step(graph, *optimizer, 0);
    auto other = make(optimizers(), "SGD", "{momentum: 0.9}");
    other->load_state(optimizer->state());
    other->bind(graph);
    for (int k = 1; k < 3; ++k) step(graph, *other, k);
    return weights_of(graph);
  }());
  for (const auto& [name, declared] : {std::pair{"SGD", "{momentum: 0.9}"},
                                       {"RMSprop", "{momentum: 0.9}"},
                                       {"Adam", "{betas: [0.9, 0.999]}"},
                                       {"AdamW", "{}"}}) {
    INFO(name);
    REQUIRE(after_steps(name, declared, 0.9) == after_steps(name, declared, std::nullopt));
    REQUIRE(after_steps(name, declared, 0.5) != after_steps(name, declared, 0.9));
  }
  REQUIRE(after_steps("RMSprop", "{}", 0.9) != after_steps("RMSprop", "{}", std::nullopt));
}

TEST_CASE("optimisers: frozen parameters get neither gradients nor state", "[train]") {
  Graph graph = start_graph();
  const auto optimizer = make(optimizers(), "Adam");
  optimizer->freeze({"*.weight"});
  optimizer->bind(graph);
  REQUIRE_FALSE(graph.parameter("fc.weight").value.requires_grad());
  REQUIRE(graph.parameter("fc.bias").value.requires_grad());
  graph.parameter("fc.bias").value.mutable_grad() = sines({2}, 0);
  optimizer->step();
  REQUIRE(optimizer->state().contains("exp_avg/fc.bias"));
  REQUIRE_FALSE(optimizer->state().contains("exp_avg/fc.weight"));
}

TEST_CASE("optimisers: fixed parameters are left alone, and gradients are freed", "[train]") {
  Graph graph = start_graph();
  graph.parameter("fc.bias").trainable = false;
  const auto optimizer = make(optimizers(), "SGD");
  optimizer->bind(graph);
  REQUIRE_FALSE(graph.parameter("fc.bias").value.requires_grad());
  REQUIRE(graph.parameter("fc.weight").value.requires_grad());
  graph.parameter("fc.weight").value.mutable_grad() = sines({2, 3}, 0);
  optimizer->zero_grad();
  REQUIRE_FALSE(graph.parameter("fc.weight").value.grad().defined());
}

TEST_CASE("optimisers: faults of the section are named", "[train]") {
  const auto bind = [](const char* name, const char* arguments) {
    Graph graph = start_graph();
    make(optimizers(), name, arguments)->bind(graph);
  };
  require_error([&] { bind("SGD", "{nesterov: true}"); },
                "SGD: nesterov needs momentum above 0 and dampening 0; they are 0 and 0");
  require_error([&] { bind("Adam", "{betas: [0.9]}"); }, "Adam: betas takes two numbers, not 1");
  require_error([&] { bind("AdamW", "{betas: []}"); }, "AdamW: betas takes two numbers, not 0");
  require_error([&] { bind("Adam", "{betas: [0.9, 1]}"); }, "in [0, 1)");
  require_error([&] { bind("SGD", "{lr: -1}"); }, "at least 0");
  require_error([&] { bind("SGD", "{groups: [{parameters: [fc.wieght]}]}"); },
                "test.yaml:1:11: error: groups: 'fc.wieght' matches no trainable parameter of 'linear_net'",
                "did you mean 'fc.weight'?");
  require_error([&] { bind("SGD", "{groups: {parameters: [x]}}"); }, "groups takes a list of maps, not a map");
  require_error([&] { bind("Adam", "{groups: [{parameters: [fc.bias], momentum: 0.5}]}"); }, "momentum");
  require_error(
      [] {
        make(optimizers(), "SGD")->load_state({{"nonsense", {}}});
      },
      "optimiser state has 'nonsense', expected STATE/PARAMETER");
}

TEST_CASE("optimisers: a group of learned scales may wait for its quantiser", "[train]") {
  Graph graph = start_graph();
  const auto optimizer = make(optimizers(), "SGD", "{lr: 1, groups: [{parameters: ['*.quantizer.*'], lr: 0.5}]}");
  optimizer->bind(graph);
  graph.add_parameter({.name = "fc.quantizer.scale", .value = at::ones({1})});
  optimizer->bind(graph);
  graph.parameter("fc.quantizer.scale").value.mutable_grad() = at::ones({1});
  optimizer->step();
  REQUIRE(graph.parameter("fc.quantizer.scale").value.item<double>() == 0.5);
}

TEST_CASE("optimisers: the section's class chooses; without a section it is SGD", "[train]") {
  REQUIRE(make_optimizer(Yaml{})->base_lr() == 0.1);
  REQUIRE(make_optimizer(parse_yaml("{class: Adam, lr: 0.5}", "t.yaml"))->base_lr() == 0.5);
  REQUIRE(make_optimizer(parse_yaml("{lr: 0.25}", "t.yaml"))->base_lr() == 0.25);
  require_error([] { make_optimizer(parse_yaml("{class: Adm}", "t.yaml")); },
                "t.yaml:1:9: error: unknown optimiser 'Adm'", "'Adam'");
  require_error([] { make_optimizer(parse_yaml("[1]", "t.yaml")); },
                "expected a map {class: NAME, ...} as optimiser, not a list");
}

TEST_CASE("optimisers: arguments and groups print as they were read", "[train]") {
  for (const auto& example : kOptimizerCases) {
    INFO(example.name << " " << example.arguments);
    const auto text = printed(*make(optimizers(), example.name, example.arguments));
    REQUIRE(printed(*make(optimizers(), example.name, text)) == text);
  }
}

}  // namespace
}  // namespace compress::train
