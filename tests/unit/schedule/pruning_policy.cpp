#include "support/check_error.h"
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

/// Pruners of fc.weight: name, class with arguments, policy arguments, epochs.
struct Use {
  std::string name, pruner, args, epochs;
};
std::string recipe_with(const std::vector<Use>& uses) {
  std::string pruners = "pruners:\n", policies = "policies:\n";
  for (const auto& use : uses) {
    if (pruners.find("  " + use.name + ":") == std::string::npos) pruners += "  " + use.name + ": " + use.pruner + "\n";
    policies += "  - {pruner: {instance_name: " + use.name + ", args: {" + use.args + "}}, " + use.epochs + "}\n";
  }
  return pruners + policies;
}

const std::string kHalf = "{class: SparsityLevelParameterPruner, levels: {fc.weight: 0.5}}";
const std::string kThreeQuarters = "{class: SparsityLevelParameterPruner, levels: {fc.weight: 0.75}}";
const std::string kQuarter = "{class: SparsityLevelParameterPruner, levels: {fc.weight: 0.25}}";

std::string by_gradient(const std::string& criterion) {
  return "{class: Pruner, criterion: " + criterion + ", granularity: element, amount: 0.5, weights: [fc.weight]}";
}

/// Convolution and batch-norm, so that the second filter is the weaker one once the batch-norm is folded in.
void use_folded(World& world) {
  world.graph = parse_graph(R"(graph g(input: float[N,1,2,2]) -> (output = bn)
parameter fc.weight: float[2,1,1,1]
parameter bn.weight: float[2]
parameter bn.bias: float[2]
parameter bn.running_mean: float[2] fixed
parameter bn.running_var: float[2] fixed
conv = Conv(input, %fc.weight) kernel_shape=[1,1]
bn = BatchNormalization(conv, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var)
)");
  world.graph.assign("fc.weight", at::tensor({1.f, 2.f}).view({2, 1, 1, 1}).set_requires_grad(true));
  world.graph.assign("bn.weight", at::tensor({10.f, 1.f}));
  world.graph.assign("bn.running_var", at::ones({2}));
}

const std::string kFilters =
    "{class: L1RankedStructureParameterPruner, group_type: Filters, desired_sparsity: 0.5, weights: [fc.weight]}";

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

TEST_CASE("pruning: with batch-norm folded in, masks set between mini-batches are those of the real weights",
          "[schedule]") {
  World world;
  use_folded(world);
  const auto scheduler = bound(recipe_with({{"p", kFilters, "fold_batchnorm: true, mini_batch_pruning_frequency: 1",
                                             "starting_epoch: 0, ending_epoch: 2"}}),
                               world.graph);
  world.begin_epoch(*scheduler, 0);
  REQUIRE(world.weights() == Weights{1, 0});
  world.graph.assign("bn.weight", at::tensor({1.f, 50.f}));
  world.graph.assign("fc.weight", at::tensor({1.f, 2.f}).view({2, 1, 1, 1}));
  ++world.state.minibatch;
  ++world.state.step;
  scheduler->on_minibatch_begin(world.state);
  REQUIRE(world.weights() == Weights{0, 2});
}

TEST_CASE("pruning: with batch-norm folded in, the gradients of the real weights are masked", "[schedule]") {
  World world;
  use_folded(world);
  const auto scheduler =
      bound(recipe_with({{"p", kFilters, "fold_batchnorm: true, mask_gradients: true, mask_on_forward_only: true",
                          "epochs: [0]"}}),
            world.graph);
  world.begin_epoch(*scheduler, 0);
  auto& weight = world.graph.parameter("fc.weight").value;
  weight.mutable_grad() = at::ones({2, 1, 1, 1});
  scheduler->before_parameter_optimization(world.state);
  REQUIRE(weight.grad().flatten().equal(at::tensor({1.f, 0.f})));
}

TEST_CASE("pruning: a criterion that needs gradients waits for them by itself", "[schedule]") {
  for (const auto* criterion : {"gradient", "snip", "movement", "{class: taylor, steps: 1}"}) {
    INFO(criterion);
    World world;
    const auto scheduler =
        bound(recipe_with({{"p", by_gradient(criterion), "", "starting_epoch: 0, ending_epoch: 2"}}), world.graph);
    world.begin_epoch(*scheduler, 0);
    REQUIRE_FALSE(masked(world));
    REQUIRE(world.minibatch(*scheduler, 0.5) == Weights{1, 2, 3, 4});
    world.minibatch(*scheduler, 0.5);
    REQUIRE(masked(world));
  }
}

TEST_CASE("pruning: a criterion that becomes ready with the last mini-batch still prunes", "[schedule]") {
  World world;
  const auto scheduler =
      bound(recipe_with({{"p", by_gradient("{class: taylor, steps: 3}"), "", "epochs: [0]"}}), world.graph);
  world.begin_epoch(*scheduler, 0);
  for (int i = 0; i < 3; ++i) world.minibatch(*scheduler, 0.5);
  REQUIRE(masked(world));
  REQUIRE(world.weights()[0] == 0);
}

TEST_CASE("pruning: a criterion that never gets ready is an error, not an unpruned network", "[schedule]") {
  World world;
  const auto scheduler =
      bound(recipe_with({{"p", by_gradient("{class: taylor, steps: 4}"), "", "epochs: [0]"}}), world.graph);
  world.begin_epoch(*scheduler, 0);
  world.minibatch(*scheduler, 0.5);
  world.minibatch(*scheduler, 0.5);
  compress::test::require_error([&] { world.minibatch(*scheduler, 0.5); }, "pruner 'p' has seen too few mini-batches",
                                "epoch 0", "recipe.yaml:4:", "fewer 'steps'");
}

TEST_CASE("pruning: movement with double copies lets removed weights come back", "[schedule]") {
  World world;
  const auto scheduler =
      bound(recipe_with({{"p", by_gradient("movement"), "use_double_copies: true, mask_on_forward_only: true",
                          "starting_epoch: 0, ending_epoch: 4"}}),
            world.graph);
  const auto minibatch = [&](const std::vector<float>& gradient) {
    scheduler->on_minibatch_begin(world.state);
    world.graph.parameter("fc.weight").value.mutable_grad() = at::tensor(gradient).view({2, 2});
    scheduler->before_parameter_optimization(world.state);
    scheduler->on_minibatch_end(world.state);
    ++world.state.minibatch;
    ++world.state.step;
  };
  world.begin_epoch(*scheduler, 0);
  minibatch({1, 1, -1, -1});
  minibatch({0, 0, 0, 0});
  minibatch({-9, -9, 0, 0});
  REQUIRE(world.weights() == Weights{0, 0, 3, 4});
  world.begin_epoch(*scheduler, 1);
  minibatch({0, 0, 0, 0});
  minibatch({0, 0, 0, 0});
  minibatch({0, 0, 0, 0});
  REQUIRE(world.weights() == Weights{1, 2, 0, 0});
}

TEST_CASE("pruning: two pruners of one weight in the same epochs are refused", "[schedule]") {
  const World world;
  compress::test::require_error(
      [&] {
        bound(recipe_with({{"a", kHalf, "", "starting_epoch: 0, ending_epoch: 4"},
                           {"b", kQuarter, "", "starting_epoch: 2, ending_epoch: 6"}}),
              world.graph);
      },
      "recipe.yaml:6:5", "'fc.weight' is pruned by 'a' (epochs 0-3, recipe.yaml:5:5) and by 'b'",
      "(epochs 2-5, recipe.yaml:6:5)", "let one of them end before the other begins");
}

TEST_CASE("pruning: a pruner may begin in the epoch in which another one ends", "[schedule]") {
  World world;
  const auto scheduler = bound(recipe_with({{"a", kHalf, "", "starting_epoch: 0, ending_epoch: 2"},
                                            {"b", kQuarter, "", "starting_epoch: 1, ending_epoch: 3"}}),
                               world.graph);
  world.begin_epoch(*scheduler, 0);
  world.graph.assign("fc.weight", at::tensor({1.f, 2.f, 3.f, 4.f}).view({2, 2}));
  world.begin_epoch(*scheduler, 1);
  REQUIRE(world.weights() == Weights{0, 0, 3, 4});
  const auto late = recipe_with(
      {{"a", by_gradient("snip"), "", "epochs: [1]"}, {"b", kQuarter, "", "starting_epoch: 1, ending_epoch: 3"}});
  compress::test::require_error([&] { bound(late, world.graph); }, "is pruned by 'a'");
}

TEST_CASE("pruning: a later pruner does not bring back what an earlier one removed", "[schedule]") {
  World world;
  const auto recipe =
      recipe_with({{"a", kHalf, "", "epochs: [0]"}, {"b", kQuarter, "", "starting_epoch: 1, ending_epoch: 3"}});
  const auto scheduler = bound(recipe, world.graph);
  world.begin_epoch(*scheduler, 0);
  world.minibatch(*scheduler, 0);
  world.begin_epoch(*scheduler, 1);
  REQUIRE(world.weights() == Weights{0, 0, 3, 4});

  World resumed;
  const auto later = bound(recipe, resumed.graph);
  later->load(scheduler->save());
  resumed.graph.parameter("fc.weight").mask = world.graph.parameter("fc.weight").mask;
  resumed.begin_epoch(*later, 2);
  REQUIRE(resumed.weights() == Weights{0, 0, 3, 4});
  REQUIRE(resumed.graph.parameter("fc.weight").mask.flatten().equal(at::tensor({0.f, 0.f, 1.f, 1.f})));
}

TEST_CASE("pruning: the same pruner in a later policy decides anew, but keeps what others removed", "[schedule]") {
  World world;
  const auto scheduler = bound(recipe_with({{"first", kQuarter, "", "epochs: [0]"},
                                            {"fine", kThreeQuarters, "", "epochs: [1]"},
                                            {"fine", kThreeQuarters, "levels: {fc.weight: 0.5}", "epochs: [2]"}}),
                               world.graph);
  world.begin_epoch(*scheduler, 0);
  world.begin_epoch(*scheduler, 1);
  REQUIRE(world.weights() == Weights{0, 0, 0, 4});
  world.graph.assign("fc.weight", at::tensor({9.f, 2.f, 3.f, 4.f}).view({2, 2}));
  world.begin_epoch(*scheduler, 2);
  REQUIRE(world.weights() == Weights{0, 0, 0, 4});
  REQUIRE(world.graph.parameter("fc.weight").mask.flatten().equal(at::tensor({0.f, 0.f, 0.f, 1.f})));
}

TEST_CASE("pruning: dropping masks after a mini-batch leaves those of an earlier pruner", "[schedule]") {
  World world;
  const auto scheduler = bound(recipe_with({{"a", kQuarter, "", "epochs: [0]"},
                                            {"b", kHalf, "discard_masks_at_minibatch_end: true", "epochs: [1]"}}),
                               world.graph);
  world.begin_epoch(*scheduler, 0);
  world.begin_epoch(*scheduler, 1);
  world.minibatch(*scheduler, 0);
  REQUIRE(world.graph.parameter("fc.weight").mask.flatten().equal(at::tensor({0.f, 1.f, 1.f, 1.f})));
}

TEST_CASE("pruning: a weight that comes back begins without the momentum it had", "[schedule]") {
  World world;
  const auto scheduler = bound(recipe_with({{"p", "{class: AcDcPruner, level: 0.5, weights: [fc.weight]}", "",
                                             "starting_epoch: 0, ending_epoch: 3"}}),
                               world.graph);
  world.optimizer->load_state(
      {{"momentum_buffer/fc.weight", at::ones({2, 2})}, {"momentum_buffer/fc.bias", at::ones({2})}});
  world.begin_epoch(*scheduler, 0);
  REQUIRE(world.weights() == Weights{0, 0, 3, 4});
  world.begin_epoch(*scheduler, 1);
  REQUIRE_FALSE(masked(world));
  const auto state = world.optimizer->state();
  REQUIRE(state.at("momentum_buffer/fc.weight").flatten().equal(at::tensor({0.f, 0.f, 1.f, 1.f})));
  REQUIRE(state.at("momentum_buffer/fc.bias").equal(at::ones({2})));
}
