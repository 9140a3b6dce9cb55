#include "unit/schedule/world.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;

namespace {

double factor_in(World& world, Scheduler& scheduler, int64_t epoch) {
  world.state.lr_factor = 1;
  world.begin_epoch(scheduler, epoch);
  return world.state.lr_factor;
}

}  // namespace

TEST_CASE("learning rate: time is the epoch, and behind the window the last factor stays", "[schedule]") {
  World world;
  const auto scheduler = bound("lr_schedulers: {s: {class: StepLR, step_size: 2, gamma: 0.1}}\n"
                               "policies: [{lr_scheduler: {instance_name: s}, starting_epoch: 1, ending_epoch: 5}]\n",
                               world.graph);
  REQUIRE(factor_in(world, *scheduler, 0) == 1);
  REQUIRE(factor_in(world, *scheduler, 1) == 1);
  REQUIRE(factor_in(world, *scheduler, 2) == Approx(0.1));
  REQUIRE(factor_in(world, *scheduler, 4) == Approx(0.01));
  REQUIRE(factor_in(world, *scheduler, 8) == Approx(0.01));
}

TEST_CASE("learning rate: of several policies the one active last counts", "[schedule]") {
  World world;
  const auto scheduler = bound("lr_schedulers:\n"
                               "  a: {class: MultiStepLR, milestones: [0], gamma: 0.5}\n"
                               "  b: {class: MultiStepLR, milestones: [0], gamma: 0.1}\n"
                               "policies:\n"
                               "  - {lr_scheduler: {instance_name: b}, epochs: [3, 4]}\n"
                               "  - {lr_scheduler: {instance_name: a}, epochs: [0, 3, 6]}\n",
                               world.graph);
  const double expected[] = {0.5, 0.5, 0.5, 0.5, 0.1, 0.1, 0.5};
  for (int64_t epoch = 0; epoch < 7; ++epoch) REQUIRE(factor_in(world, *scheduler, epoch) == Approx(expected[epoch]));
}

TEST_CASE("learning rate: with interval batch time counts mini-batches", "[schedule]") {
  World world;
  const auto scheduler = bound("lr_schedulers: {s: {class: StepLR, step_size: 2, gamma: 0.1, interval: batch}}\n"
                               "policies: [{lr_scheduler: {instance_name: s}, starting_epoch: 0, ending_epoch: 2}]\n",
                               world.graph);
  world.begin_epoch(*scheduler, 1);
  REQUIRE(world.state.lr_per_batch);
  REQUIRE(world.state.lr_factor == Approx(0.1));
  world.minibatch(*scheduler, 0);
  world.minibatch(*scheduler, 0);
  REQUIRE(world.state.lr_factor == Approx(0.01));
  REQUIRE(factor_in(world, *scheduler, 7) == Approx(0.01));
}
