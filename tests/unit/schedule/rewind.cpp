// Going back to earlier weights in a recipe: the lottery ticket.
#include "support/check_error.h"
#include "unit/schedule/world.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;
using compress::test::require_error;

namespace {

/// Two rounds of prune and rewind.
const char* const kLottery = R"(
pruners:
  fine: {class: SparsityLevelParameterPruner, levels: {fc.weight: 0.5}}
passes:
  back: {class: rewind}
policies:
  - {pruner: {instance_name: fine}, epochs: [2, 4]}
  - {pass: {instance_name: back}, epochs: [2, 4]}
)";

void train_epoch(World& world, Scheduler& scheduler, int64_t epoch, float gradient) {
  world.begin_epoch(scheduler, epoch);
  world.minibatch(scheduler, gradient);
}

}  // namespace

TEST_CASE("rewind policy: prune, rewind, train, twice", "[schedule]") {
  World world;
  const auto scheduler = bound(kLottery, world.graph);
  train_epoch(world, *scheduler, 0, 3);  // 1 2 3 4 -> -2 -1 0 1
  REQUIRE(world.weights() == Weights{-2, -1, 0, 1});
  world.begin_epoch(*scheduler, 1);
  world.begin_epoch(*scheduler, 2);  // the smallest two of the trained weights go, the others get their first values
  REQUIRE(world.weights() == Weights{1, 0, 0, 4});
  train_epoch(world, *scheduler, 3, 0.5);
  REQUIRE(world.weights() == Weights{0.5, 0, 0, 3.5});
  train_epoch(world, *scheduler, 4, 0);
  REQUIRE(world.weights() == Weights{1, 0, 0, 4});
}

TEST_CASE("rewind policy: a resumed run goes back to the same weights", "[schedule]") {
  World first;
  const auto before = bound(kLottery, first.graph);
  train_epoch(first, *before, 0, 3);
  const auto memory = before->save();

  World second;
  const auto after = bound(kLottery, second.graph);
  after->load(memory);
  second.graph.writable("fc.weight").data().copy_(first.graph.parameter("fc.weight").value.detach());
  second.begin_epoch(*after, 2);
  REQUIRE(second.weights() == Weights{1, 0, 0, 4});
}

TEST_CASE("rewind policy: late rewinding goes back to a later epoch, and the optimiser forgets on request",
          "[schedule]") {
  for (const bool reset : {true, false}) {
    World world;
    world.optimizer = train::make_optimizer(parse_yaml("{class: SGD, momentum: 0.9}", "optimizer.yaml"));
    world.optimizer->bind(world.graph);
    train::State state{.graph = world.graph,
                       .optimizer = *world.optimizer,
                       .data = world.data,
                       .task = *world.task,
                       .epochs = 10,
                       .minibatches = 3};
    const auto scheduler =
        bound("passes: {back: {class: rewind, epoch: 1, reset_optimizer: " + std::string(reset ? "true" : "false") +
                  "}}\npolicies: [{pass: {instance_name: back}, epochs: [3]}]\n",
              world.graph);
    const auto begin = [&](int64_t epoch) {
      state.epoch = epoch;
      scheduler->on_epoch_begin(state);
    };
    begin(0);
    world.graph.parameter("fc.weight").value.mutable_grad() = at::full({2, 2}, 1.f);
    world.optimizer->step();
    const auto late = world.weights();
    begin(1);
    world.graph.parameter("fc.weight").value.mutable_grad() = at::full({2, 2}, 1.f);
    world.optimizer->step();
    REQUIRE(world.weights() != late);
    begin(3);
    REQUIRE(world.weights() == late);
    REQUIRE(world.optimizer->state().empty() == reset);
    world.optimizer->bind(world.graph);
    REQUIRE(world.optimizer->state().empty() == reset);
  }
}

TEST_CASE("rewind policy: kept weights follow thinning by another policy", "[schedule]") {
  World world;
  const auto scheduler =
      bound("passes: {back: {class: rewind}}\npolicies: [{pass: {instance_name: back}, epochs: [3]}]\n", world.graph);
  world.begin_epoch(*scheduler, 0);
  scheduler->policies().front()->apply({.sliced = {{.parameter = "fc.weight", .axis = 0, .kept = {1}},
                                                   {.parameter = "fc.bias", .axis = 0, .kept = {1}}}});
  world.graph.assign("fc.weight", at::full({1, 2}, 9.f));
  world.graph.assign("fc.bias", at::full({1}, 9.f));
  world.begin_epoch(*scheduler, 3);
  REQUIRE(world.weights() == Weights{3, 4});
}

TEST_CASE("rewind policy: an epoch that has not come yet is refused with its place", "[schedule]") {
  World world;
  require_error(
      [&] {
        bound("passes:\n  back: {class: rewind, epoch: 4}\npolicies: [{pass: {instance_name: back}, epochs: [3]}]\n",
              world.graph);
      },
      "recipe.yaml:2:", "'epoch' (4) lies behind the first epoch in which 'back' acts (3)");
}
