#include "data/dataset.h"
#include "support/check_error.h"
#include "train/trainer.h"
#include "unit/schedule/support.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using compress::schedule::test::no_model;
using compress::schedule::test::recipe_of;
using compress::schedule::test::small_network;
using compress::test::require_error;

namespace {

std::string searching(const std::string& arguments, const std::string& window, const std::string& epochs = "2") {
  return "training: {epochs: " + epochs + R"(}
data: {name: synthetic_mnist, batch_size: 32, limits: {train: 64, validation: 32}, prefetch: 0}
searches:
  greedy: {class: GreedyFilterPruning, )" +
         arguments + "}\npolicies:\n  - {search: {instance_name: greedy}" + window + "}\n";
}

/// The channels of conv1 at the end of each epoch, then at the end; and what the policy did not reach.
struct Trained {
  std::vector<int64_t> channels;
  std::string unmet;
};

Trained train_searching(const std::string& text) {
  const auto recipe = recipe_of(text);
  const auto data = data::open_splits(recipe.data, 1);
  auto graph = small_network();
  const auto scheduler = recipe.bind(graph, no_model);
  const auto optimizer = train::make_optimizer(parse_yaml("{class: SGD, lr: 0.01, momentum: 0.9}", "sgd.yaml"));
  const auto task = train::make_task({}, "classification");
  task->bind(graph, data.train->fields());
  scheduler->bind_task(*task, data);
  train::Trainer trainer(graph, data, *task, *optimizer, *scheduler, recipe.training, recipe.epochs(),
                         recipe.data.batch_size, 0);
  Trained trained;
  const auto note = [&] { trained.channels.push_back(graph.parameter("conv1.weight").value.size(0)); };
  trainer.after_epoch = [&](const train::State&) { note(); };
  trainer.run();
  note();
  trained.unmet = scheduler->policies().front()->unmet();
  const auto again = recipe.bind(small_network(), no_model);
  again->load(scheduler->save());
  REQUIRE(again->policies().front()->unmet() == trained.unmet);
  return trained;
}

}  // namespace

TEST_CASE("search policy: without epochs it acts before training, else in its epoch", "[schedule]") {
  const std::string one_group = "target: 0.6, step: 0.5, include: [conv1.weight]";
  REQUIRE(train_searching(searching(one_group, "")).channels == std::vector<int64_t>{4, 4, 4});
  REQUIRE(train_searching(searching(one_group, ", epochs: [1]")).channels == std::vector<int64_t>{8, 4, 4});
  REQUIRE(train_searching(searching(one_group, "", "0")).channels == std::vector<int64_t>{4});
}

TEST_CASE("search policy: what it did not reach is remembered", "[schedule]") {
  const auto trained = train_searching(searching("target: 0.3, step: 0.25, max_iterations: 1", ""));
  REQUIRE(trained.unmet.starts_with("search 'greedy': the search ended at "));
  REQUIRE(trained.unmet.ends_with("'max_iterations' is 1"));
  REQUIRE(train_searching(searching("target: 0.8", "")).unmet.empty());
}

TEST_CASE("search policy: the timeline says when, and the network counts as compressed from then on", "[schedule]") {
  const auto before = recipe_of(searching("target: 0.5", ""));
  REQUIRE(before.timeline() == "before training  search greedy (GreedyFilterPruning)\n");
  const auto scheduler = before.bind(small_network(), no_model);
  REQUIRE(scheduler->first_compressing_epoch(2) == 0);
  REQUIRE(scheduler->first_settled_epoch() == 0);
  const auto later = recipe_of(searching("target: 0.5", ", epochs: [1]"));
  REQUIRE(later.bind(small_network(), no_model)->first_compressing_epoch(2) == 1);
}

TEST_CASE("search policy: what cannot be is said with its place", "[schedule]") {
  require_error([] { recipe_of(searching("target: 0.5", ", epochs: [0, 1]")); },
                "recipe.yaml:6:5: error: search 'greedy' runs once, but its policy has 2 epochs", "epochs: [10]");
  require_error([] { recipe_of(searching("target: 1.5", "")); }, "recipe.yaml:4:48: error: 'target' must be");
  require_error([] { recipe_of(searching("target: 0.5, fine_tune: {learning_rate: 1}", "")); },
                "recipe.yaml:4:64: error: 'fine_tune' needs either 'epochs' or 'batches'");
  require_error(
      [] { recipe_of(searching("target: 0.5, include: [conv3.weight]", "")).bind(small_network(), no_model); },
      "recipe.yaml:4:63: error: 'conv3.weight' names no weight", "did you mean 'conv1.weight'?");
  require_error([] { recipe_of(searching("target: 0.0001", "")).bind(small_network(), no_model); },
                "recipe.yaml:4:40: error: the 'target' 0.0001 of the MACs cannot be reached");
  const auto few = recipe_of(searching("target: 0.5", ""));
  data::Splits splits = data::open_splits(few.data, 1);
  splits.validation = nullptr;
  splits.train = splits.calibration = data::subset(splits.train, {0, 1});
  const auto scheduler = few.bind(small_network(), no_model);
  const auto task = train::make_task({}, "classification");
  require_error([&] { scheduler->bind_task(*task, splits); },
                "recipe.yaml:6:5: error: there is no validation data to search by, and too few training samples (2)");
}
