#include "support/check_error.h"
#include "unit/schedule/world.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;
using compress::test::require_error;

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

TEST_CASE("learning rate: OneCycleLR sets momentum too, and a schedule without takes it back", "[schedule]") {
  World world;
  const auto scheduler = bound("lr_schedulers:\n"
                               "  cycle: {class: OneCycleLR, max_lr: 1, total_steps: 4}\n"
                               "  steps: {class: StepLR, step_size: 1}\n"
                               "policies:\n"
                               "  - {lr_scheduler: {instance_name: cycle}, starting_epoch: 0, ending_epoch: 2}\n"
                               "  - {lr_scheduler: {instance_name: steps}, epochs: [3]}\n",
                               world.graph);
  factor_in(world, *scheduler, 0);
  REQUIRE(world.state.momentum == Approx(0.95));
  factor_in(world, *scheduler, 2);
  const auto behind = world.state.momentum;
  REQUIRE(behind.has_value());
  factor_in(world, *scheduler, 1);
  REQUIRE(world.state.momentum == behind);
  factor_in(world, *scheduler, 3);
  REQUIRE_FALSE(world.state.momentum.has_value());
}

TEST_CASE("learning rate: warm-up multiplies the schedule's rate, step by step, from the window's start",
          "[schedule]") {
  World world;  // 3 steps an epoch
  const auto scheduler =
      bound("lr_schedulers: {s: {class: StepLR, step_size: 2, gamma: 0.5, warmup: {epochs: 1, start_factor: 0.4}}}\n"
            "policies: [{lr_scheduler: {instance_name: s}, starting_epoch: 1, ending_epoch: 4}]\n",
            world.graph);
  REQUIRE(factor_in(world, *scheduler, 0) == 1);
  REQUIRE(factor_in(world, *scheduler, 1) == Approx(0.4));
  REQUIRE(world.state.lr_per_batch);
  world.minibatch(*scheduler, 0);
  world.minibatch(*scheduler, 0);
  REQUIRE(world.state.lr_factor == Approx(0.6));
  REQUIRE(factor_in(world, *scheduler, 2) == Approx(0.5));
  REQUIRE(factor_in(world, *scheduler, 6) == Approx(0.5));
}

TEST_CASE("learning rate: a plateau of the validation metric lowers the rate, in the policy's epochs only",
          "[schedule]") {
  World world;
  const auto scheduler = bound("lr_schedulers: {p: {class: ReduceLROnPlateau, patience: 0, metric: loss}}\n"
                               "policies: [{lr_scheduler: {instance_name: p}, starting_epoch: 1, ending_epoch: 4}]\n",
                               world.graph);
  const auto epoch = [&](int64_t number) {
    const double factor = factor_in(world, *scheduler, number);
    world.state.validation = {{"loss", 1}};
    scheduler->on_epoch_end(world.state);
    return factor;
  };
  REQUIRE(epoch(0) == 1);
  REQUIRE(epoch(1) == 1);
  REQUIRE(epoch(2) == 1);
  REQUIRE(epoch(3) == Approx(0.1));
  REQUIRE(epoch(4) == Approx(0.01));
  REQUIRE(epoch(5) == Approx(0.01));
  const auto memory = scheduler->save();
  World again;
  const auto resumed = bound("lr_schedulers: {p: {class: ReduceLROnPlateau, patience: 0, metric: loss}}\n"
                             "policies: [{lr_scheduler: {instance_name: p}, starting_epoch: 1, ending_epoch: 4}]\n",
                             again.graph);
  resumed->load(memory);
  REQUIRE(factor_in(again, *resumed, 5) == Approx(0.01));
}

TEST_CASE("learning rate: a metric that does not exist, or no validation, is found before training", "[schedule]") {
  World world;
  const auto bind = [&](const char* metric, bool validation) {
    const auto scheduler = bound(fmt::format("lr_schedulers:\n  p: {{class: ReduceLROnPlateau, metric: {}}}\n"
                                             "policies: [{{lr_scheduler: {{instance_name: p}}, epochs: [0]}}]\n",
                                             metric),
                                 world.graph);
    data::DataConfig config{.name = "synthetic_mnist", .validation_split = validation ? 0.1 : 0};
    config.limits = {{"train", 32}};
    scheduler->bind_task(*world.task, data::open_splits(config, 1));
  };
  REQUIRE_NOTHROW(bind("loss", true));
  require_error([&] { bind("los", true); },
                "recipe.yaml:2:41: error: ReduceLROnPlateau: there is no metric 'los' to follow",
                "did you mean 'loss'?");
  require_error([&] { bind("loss", false); },
                "'ReduceLROnPlateau' follows a validation metric, but there is no validation split",
                "data.validation_split: 0.1");
}
