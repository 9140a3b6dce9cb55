#include "support/check_error.h"
#include "unit/schedule/world.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

#include <array>
#include <cmath>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;

namespace {

std::string l1(const std::string& more, const std::string& args = "") {
  return "regularizers: {r: {class: L1Regularizer, reg_regims: {fc.weight: 1.5}" + more +
         "}}\npolicies: [{regularizer: {instance_name: r, args: {" + args + "}}, epochs: [0, 1]}]\n";
}

}  // namespace

TEST_CASE("regularisation: the term is added to the loss and named in the log", "[schedule]") {
  World world;
  const auto scheduler = bound(l1(""), world.graph);
  world.state.loss = at::zeros({}).add(2);
  scheduler->before_backward_pass(world.state);
  REQUIRE(world.state.loss.item<float>() == Approx(2 + 1.5 * 10));
  REQUIRE(world.state.loss_terms.front().first == "L1Regularizer_loss");
  REQUIRE(world.state.loss_terms.front().second.item<double>() == Approx(15));
  REQUIRE(world.state.loss.requires_grad());
}

TEST_CASE("regularisation: a threshold criterion zeroes weights after each mini-batch and leaves no mask",
          "[schedule]") {
  World world;
  const auto scheduler = bound(l1(", threshold_criteria: Max"), world.graph);
  world.minibatch(*scheduler, 0);
  REQUIRE(world.weights() == Weights{0, 2, 3, 4});
  REQUIRE_FALSE(world.graph.parameter("fc.weight").mask.defined());
}

TEST_CASE("regularisation: keep_mask keeps the last mini-batch's mask, together with a pruner's", "[schedule]") {
  World world;
  const auto scheduler = bound(l1(", threshold_criteria: Mean_Abs", "keep_mask: true"), world.graph);
  world.graph.parameter("fc.weight").mask = at::tensor({1.f, 1.f, 1.f, 0.f}).view({2, 2});
  world.state.epoch = 1;
  for (int i = 0; i < 3; ++i) world.minibatch(*scheduler, 0);
  REQUIRE(world.weights() == Weights{0, 2, 3, 0});
  REQUIRE(world.graph.parameter("fc.weight").mask.flatten().equal(at::tensor({0.f, 1.f, 1.f, 0.f})));
}

TEST_CASE("regularisation: several regularisers add up, each named after its class", "[schedule]") {
  World world;
  const auto scheduler = bound("regularizers: {a: {class: L1Regularizer, reg_regims: {fc.weight: 1}},\n"
                               "  b: {class: L2Regularizer, reg_regims: {fc.weight: 1}},\n"
                               "  c: {class: GroupLassoRegularizer, reg_regims: {fc.weight: [1, 4D]}}}\n"
                               "policies: [{regularizer: {instance_name: a}, epochs: [0]},\n"
                               "  {regularizer: {instance_name: b}, epochs: [0]},\n"
                               "  {regularizer: {instance_name: c}, epochs: [0]}]\n",
                               world.graph);
  world.state.loss = at::zeros({}).add(2);
  scheduler->before_backward_pass(world.state);
  REQUIRE(world.state.loss.item<float>() == Approx(2 + 10 + 15 + std::sqrt(30)));
  std::vector<std::string> names;
  for (const auto& [name, value] : world.state.loss_terms) names.push_back(name);
  REQUIRE(names == std::vector<std::string>{"L1Regularizer_loss", "L2Regularizer_loss", "GroupLassoRegularizer_loss"});
}

namespace {

/// Adds a fixed number to the loss, as each policy of Distiller's tests of the composition of losses does.
class DummyLossPolicy final : public Policy {
public:
  DummyLossPolicy(int number, double loss) : loss_(loss) {
    instance = class_name = fmt::format("Dummy Loss {}", number);
    kind = "regularizer";
    window = Window::range(0, 1);
  }
  void before_backward_pass(train::State& state) override {
    state.loss = state.loss.add(loss_);
    state.loss_terms.emplace_back(class_name, at::zeros({}).add(loss_));
  }

private:
  double loss_;
};

}  // namespace

TEST_CASE("loss composition: Distiller's three policies add to the loss in order and leave the main one as it was",
          "[schedule]") {
  World world;
  Scheduler scheduler;
  for (int i = 0; i < 3; ++i) scheduler.add(std::make_unique<DummyLossPolicy>(i, std::array{17., 2500., 9999.}[i]));
  const auto main_loss = at::zeros({}).add(1234);
  world.state.loss = main_loss;
  scheduler.before_backward_pass(world.state);
  REQUIRE(world.state.loss.item<double>() == 13750);
  REQUIRE(main_loss.item<double>() == 1234);
  REQUIRE(world.state.loss_terms.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    REQUIRE(world.state.loss_terms[i].first == fmt::format("Dummy Loss {}", i));
    REQUIRE(world.state.loss_terms[i].second.item<double>() == std::array{17., 2500., 9999.}[i]);
  }
}

TEST_CASE("regularisation: dropped filters are missing in the forward pass only", "[schedule]") {
  World world;
  const auto scheduler = bound("regularizers: {drop: {class: DropFilterRegularizer, weights: [fc.weight], p: 0.5}}\n"
                               "policies: [{regularizer: {instance_name: drop}, epochs: [0]}]\n",
                               world.graph);
  bool saw_dropped = false;
  for (int i = 0; i < 20; ++i) {
    const auto before = world.weights();
    const auto seen = world.minibatch(*scheduler, 1);
    const auto after = world.weights();
    for (size_t k = 0; k < before.size(); ++k) {
      const float factor = seen[k] / before[k];
      saw_dropped = saw_dropped || factor == 0;
      REQUIRE((factor == 0 || factor == Approx(2)));
      REQUIRE(after[k] == Approx(before[k] - factor));  // the gradient is that of the weight it was computed with
    }
    world.graph.writable("fc.weight").data().fill_(3);
  }
  REQUIRE(saw_dropped);
}

TEST_CASE("regularisation: a pruner that exchanges the same weights in the same epochs is refused", "[schedule]") {
  World world;
  const auto recipe = [](const std::string& epochs) {
    return "regularizers: {drop: {class: DropFilterRegularizer, weights: [fc.weight]}}\n"
           "pruners: {fine: {class: SparsityLevelParameterPruner, levels: {fc.weight: 0.5}}}\n"
           "policies: [{pruner: {instance_name: fine, args: {use_double_copies: true}}, epochs: [0]},\n"
           "  {regularizer: {instance_name: drop}, epochs: [" +
           epochs + "]}]\n";
  };
  compress::test::require_error([&] { bound(recipe("0, 1"), world.graph); },
                                "'drop' and 'fine' both exchange 'fc.weight' for the forward pass, in the same epochs",
                                "give them epochs or weights of their own");
  bound(recipe("1"), world.graph);
}

TEST_CASE("regularisation: what a regulariser keeps goes through the scheduler's memory", "[schedule]") {
  const std::string recipe =
      "regularizers: {grow: {class: GrowingRegularizer, weights: [fc.weight], start: 0, step: 0.5, every: 1}}\n"
      "policies: [{regularizer: {instance_name: grow}, epochs: [0, 1]}]\n";
  World world, later;
  const auto first = bound(recipe, world.graph);
  for (int i = 0; i < 3; ++i) world.minibatch(*first, 0);
  const auto second = bound(recipe, later.graph);
  second->load(first->save());
  second->on_minibatch_begin(later.state);
  later.state.loss = at::zeros({});
  second->before_backward_pass(later.state);
  REQUIRE(later.state.loss.item<double>() == Approx(0.5 * 1 * (1 + 4)));  // lambda has reached its ceiling of 1
}
