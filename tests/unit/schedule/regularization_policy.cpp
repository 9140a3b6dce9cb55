#include "unit/schedule/world.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

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
