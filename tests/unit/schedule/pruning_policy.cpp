#include "unit/schedule/world.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;

namespace {

/// A pruner that removes half of fc.weight in epochs 0 ... 2.
std::string half(const std::string& args = "", const std::string& epochs = "starting_epoch: 0, ending_epoch: 3") {
  return "pruners: {half: {class: SparsityLevelParameterPruner, levels: {fc.weight: 0.5}}}\n"
         "policies:\n  - {pruner: {instance_name: half, args: {" +
         args + "}}, " + epochs + "}\n";
}

bool masked(const World& world) {
  return world.graph.parameter("fc.weight").mask.defined();
}

}  // namespace

TEST_CASE("pruning: masks are set and applied at the beginning of the epoch and stay", "[schedule]") {
  World world;
  const auto scheduler = bound(half(), world.graph);
  world.begin_epoch(*scheduler, 0);
  REQUIRE(world.weights() == Weights{0, 0, 3, 4});
  REQUIRE(world.minibatch(*scheduler, 1) == Weights{0, 0, 3, 4});
  REQUIRE(world.weights() == Weights{0, 0, 2, 3});
  world.begin_epoch(*scheduler, 5);
  world.minibatch(*scheduler, 1);
  REQUIRE(world.weights() == Weights{0, 0, 1, 2});
}

TEST_CASE("pruning: weights masked for the forward pass only may grow back", "[schedule]") {
  World world;
  const auto scheduler = bound(half("mask_on_forward_only: true"), world.graph);
  world.begin_epoch(*scheduler, 0);
  REQUIRE(world.weights() == Weights{1, 2, 3, 4});
  REQUIRE(world.minibatch(*scheduler, 1) == Weights{0, 0, 3, 4});
  REQUIRE(world.weights() == Weights{-1, -1, 2, 3});
}

TEST_CASE("pruning: gradients of masked weights can be masked too", "[schedule]") {
  World world;
  const auto scheduler = bound(half("mask_on_forward_only: true, mask_gradients: true"), world.graph);
  world.begin_epoch(*scheduler, 0);
  world.minibatch(*scheduler, 1);
  REQUIRE(world.weights() == Weights{0, 0, 2, 3});
}

TEST_CASE("pruning: with double copies the unmasked weights are updated", "[schedule]") {
  World world;
  const auto scheduler = bound(half("mask_on_forward_only: true, use_double_copies: true"), world.graph);
  world.begin_epoch(*scheduler, 0);
  REQUIRE(world.minibatch(*scheduler, 1) == Weights{0, 0, 3, 4});
  REQUIRE(world.weights() == Weights{0, 1, 2, 3});
}

TEST_CASE("pruning: what is validated and saved is masked; the true weights come back with the next epoch",
          "[schedule]") {
  World world;
  const auto scheduler = bound(half("mask_on_forward_only: true, use_double_copies: true"), world.graph);
  world.begin_epoch(*scheduler, 0);
  for (int i = 0; i < 3; ++i) world.minibatch(*scheduler, -1);
  REQUIRE(world.weights() == Weights{0, 0, 6, 7});
  scheduler->on_epoch_end(world.state);

  World resumed;
  const auto later = bound(half("mask_on_forward_only: true, use_double_copies: true"), resumed.graph);
  resumed.graph.assign("fc.weight", world.graph.parameter("fc.weight").value.detach().clone().set_requires_grad(true));
  later->load(scheduler->save());
  world.begin_epoch(*scheduler, 1);
  resumed.begin_epoch(*later, 1);
  REQUIRE(world.weights() == Weights{4, 5, 6, 7});
  REQUIRE(resumed.weights() == world.weights());
}

TEST_CASE("pruning: after its last epoch a forward-only policy keeps the masks for good, or drops them", "[schedule]") {
  for (const bool keep : {true, false}) {
    World world;
    const auto scheduler = bound(
        half(std::string("mask_on_forward_only: true, use_double_copies: true") + (keep ? ", keep_mask: true" : "")),
        world.graph);
    world.begin_epoch(*scheduler, 2);
    for (int i = 0; i < 3; ++i) world.minibatch(*scheduler, -1);
    scheduler->on_epoch_end(world.state);
    REQUIRE(world.weights() == (keep ? Weights{0, 0, 6, 7} : Weights{4, 5, 6, 7}));
    REQUIRE(masked(world) == keep);
    world.begin_epoch(*scheduler, 3);
    world.minibatch(*scheduler, -1);
    REQUIRE(world.weights() == (keep ? Weights{0, 0, 7, 8} : Weights{5, 6, 7, 8}));
  }
}

TEST_CASE("pruning: masks can be dropped after each mini-batch", "[schedule]") {
  World world;
  const auto scheduler = bound(
      half("discard_masks_at_minibatch_end: true, mask_on_forward_only: true, use_double_copies: true"), world.graph);
  world.begin_epoch(*scheduler, 0);
  REQUIRE(world.minibatch(*scheduler, 1) == Weights{0, 0, 3, 4});
  REQUIRE_FALSE(masked(world));
  REQUIRE(world.minibatch(*scheduler, 1) == Weights{0, 1, 2, 3});
}

TEST_CASE("pruning: masks can be set every so many mini-batches", "[schedule]") {
  World world;
  const auto scheduler = bound(half("mini_batch_pruning_frequency: 2, discard_masks_at_minibatch_end: true, "
                                    "mask_on_forward_only: true, use_double_copies: true"),
                               world.graph);
  world.begin_epoch(*scheduler, 0);
  world.minibatch(*scheduler, 0);
  REQUIRE(world.minibatch(*scheduler, 0) == Weights{1, 2, 3, 4});
  REQUIRE(world.minibatch(*scheduler, 0) == Weights{0, 0, 3, 4});
}

TEST_CASE("pruning: the first mini-batch can be skipped", "[schedule]") {
  World world;
  const auto scheduler = bound(half("skip_first_minibatch: true"), world.graph);
  world.begin_epoch(*scheduler, 0);
  REQUIRE(world.minibatch(*scheduler, 0) == Weights{1, 2, 3, 4});
  REQUIRE(world.minibatch(*scheduler, 0) == Weights{0, 0, 3, 4});
  world.begin_epoch(*scheduler, 1);
  REQUIRE(world.minibatch(*scheduler, 0) == Weights{0, 0, 3, 4});
}

TEST_CASE("pruning: a policy's levels replace the pruner's", "[schedule]") {
  World world;
  const auto scheduler = bound(half("levels: {fc.weight: 0.75}"), world.graph);
  world.begin_epoch(*scheduler, 0);
  REQUIRE(world.weights() == Weights{0, 0, 0, 4});
}

TEST_CASE("pruning: gradual levels follow the real index of listed epochs", "[schedule]") {
  World world;
  const auto scheduler = bound(
      "pruners: {p: {class: AutomatedGradualPruner, initial_sparsity: 0, final_sparsity: 0.75, weights: [fc.weight]}}\n"
      "policies: [{pruner: {instance_name: p}, epochs: [0, 1, 7]}]\n",
      world.graph);
  world.begin_epoch(*scheduler, 0);
  REQUIRE(world.weights() == Weights{1, 2, 3, 4});
  world.begin_epoch(*scheduler, 1);  // 0.75 - 0.75 / 8 = 0.656
  REQUIRE(world.weights() == Weights{0, 0, 3, 4});
  world.begin_epoch(*scheduler, 7);
  REQUIRE(world.weights() == Weights{0, 0, 0, 4});
}

TEST_CASE("pruning: ranking on weights with batch-norm folded in", "[schedule]") {
  World world;
  world.graph = parse_graph(R"(graph g(input: float[N,1,2,2]) -> (output = bn)
parameter conv.weight: float[2,1,1,1]
parameter bn.weight: float[2]
parameter bn.bias: float[2]
parameter bn.running_mean: float[2] fixed
parameter bn.running_var: float[2] fixed
conv = Conv(input, %conv.weight) kernel_shape=[1,1]
bn = BatchNormalization(conv, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var)
)");
  const auto weight = at::tensor({1.f, 2.f}).view({2, 1, 1, 1});
  world.graph.assign("conv.weight", weight);
  world.graph.assign("bn.weight", at::tensor({10.f, 1.f}));
  world.graph.assign("bn.running_var", at::ones({2}));
  const auto scheduler = bound("pruners: {p: {class: L1RankedStructureParameterPruner, group_type: Filters, "
                               "desired_sparsity: 0.5, weights: [conv.weight]}}\n"
                               "policies: [{pruner: {instance_name: p, args: {fold_batchnorm: true}}, epochs: [0]}]\n",
                               world.graph);
  world.begin_epoch(*scheduler, 0);
  REQUIRE(world.graph.parameter("conv.weight").value.flatten().equal(at::tensor({1.f, 0.f})));
}

TEST_CASE("pruning: unmasked copies follow a sliced weight", "[schedule]") {
  World world;
  const auto scheduler = bound(half("mask_on_forward_only: true, use_double_copies: true"), world.graph);
  world.begin_epoch(*scheduler, 0);
  for (int i = 0; i < 3; ++i) world.minibatch(*scheduler, 0);
  Changes changes;
  changes.sliced.push_back({"fc.weight", 0, {1}});
  world.graph.parameter("fc.weight").mask = world.graph.parameter("fc.weight").mask.slice(0, 1, 2);
  world.graph.assign("fc.weight", world.graph.parameter("fc.weight").value.detach().slice(0, 1, 2).clone());
  scheduler->policies().front()->apply(changes);
  world.begin_epoch(*scheduler, 1);
  REQUIRE(world.weights() == Weights{3, 4});
}
