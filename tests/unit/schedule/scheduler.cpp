#include "schedule/scheduler.h"

#include "unit/schedule/world.h"

#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;

namespace {

/// Writes down what it is asked.
class Diary final : public Policy {
public:
  Diary(std::string name, std::string of_kind, Window active, std::vector<std::string>& pages) : pages_(pages) {
    instance = std::move(name);
    kind = std::move(of_kind);
    window = std::move(active);
  }
  bool compresses() const override { return kind == "pruner"; }
  void before_epoch(train::State&) override { write("before"); }
  void on_training_begin(train::State&) override { write("start"); }
  void on_epoch_begin(train::State& state) override {
    write("epoch");
    if (edits) {
      Changes changes;
      changes.removed = {"x"};
      state.apply(changes);
    }
  }
  void on_minibatch_begin(train::State&) override { write("batch"); }
  void before_backward_pass(train::State&) override { write("backward"); }
  void before_parameter_optimization(train::State&) override { write("optimize"); }
  void on_minibatch_end(train::State&) override { write("batch end"); }
  void on_epoch_end(train::State&) override { write("epoch end"); }
  void on_training_end(train::State&) override { write("end"); }
  void apply(const Changes& changes) override { write("told of " + changes.removed.at(0)); }
  train::Memory save() const override {
    return {.values = {{"pages", pages_.size()}}, .tensors = {{"t", at::tensor({kept})}}};
  }
  void load(const train::Memory& memory) override {
    kept = memory.tensors.at("t").item<float>();
    loaded = memory.values.at("pages").get<size_t>();
  }

  bool edits = false;
  float kept = 0;
  size_t loaded = 0;

private:
  void write(const std::string& what) { pages_.push_back(instance + ": " + what); }
  std::vector<std::string>& pages_;
};

using Pages = std::vector<std::string>;

}  // namespace

TEST_CASE("scheduler: policies are called in the recipe's order, the learning rate last", "[schedule]") {
  World world;
  Pages pages;
  Scheduler scheduler;
  scheduler.add(std::make_unique<Diary>("lr", "lr_scheduler", Window::range(0, 9), pages));
  scheduler.add(std::make_unique<Diary>("a", "pruner", Window::range(0, 4), pages));
  scheduler.add(std::make_unique<Diary>("b", "pass", Window::list({1}), pages));
  scheduler.on_training_begin(world.state);
  world.begin_epoch(scheduler, 0);
  REQUIRE(pages ==
          Pages{"lr: start", "a: start", "b: start", "lr: before", "a: before", "b: before", "a: epoch", "lr: epoch"});
  pages.clear();
  world.state.epoch = 1;
  scheduler.on_minibatch_begin(world.state);
  scheduler.before_backward_pass(world.state);
  scheduler.before_parameter_optimization(world.state);
  scheduler.on_minibatch_end(world.state);
  REQUIRE(pages == Pages{"a: batch", "b: batch", "lr: batch", "a: backward", "b: backward", "lr: backward",
                         "a: optimize", "b: optimize", "lr: optimize", "a: batch end", "b: batch end",
                         "lr: batch end"});
  pages.clear();
  world.state.epoch = 5;
  scheduler.on_epoch_end(world.state);
  scheduler.on_training_end(world.state);
  REQUIRE(pages == Pages{"lr: epoch end", "lr: end", "a: end", "b: end"});
}

TEST_CASE("scheduler: an edit of the graph is told to every other policy, once", "[schedule]") {
  World world;
  Pages pages;
  Scheduler scheduler;
  auto editor = std::make_unique<Diary>("editor", "pass", Window::list({0}), pages);
  editor->edits = true;
  scheduler.add(std::move(editor));
  scheduler.add(std::make_unique<Diary>("other", "pruner", Window::list({0}), pages));
  world.begin_epoch(scheduler, 0);
  REQUIRE(pages == Pages{"editor: before", "other: before", "editor: epoch", "other: told of x", "other: epoch"});
  REQUIRE(world.state.changes.empty());
}

TEST_CASE("scheduler: the network is settled when the last compressing policy acts", "[schedule]") {
  Pages pages;
  Scheduler scheduler;
  REQUIRE(scheduler.first_settled_epoch() == 0);
  REQUIRE(scheduler.first_compressing_epoch(20) == 20);
  scheduler.add(std::make_unique<Diary>("a", "pruner", Window::range(3, 8), pages));
  scheduler.add(std::make_unique<Diary>("b", "regularizer", Window::range(0, 15), pages));
  scheduler.add(std::make_unique<Diary>("c", "pruner", Window{}, pages));
  REQUIRE(scheduler.first_settled_epoch() == 7);
  REQUIRE(scheduler.first_compressing_epoch(20) == 3);
}

TEST_CASE("scheduler: two policies of one instance remember apart", "[schedule]") {
  Pages pages;
  Scheduler scheduler, resumed;
  for (auto* target : {&scheduler, &resumed})
    for (int i = 0; i < 2; ++i) target->add(std::make_unique<Diary>("a", "pruner", Window::list({i}), pages));
  static_cast<Diary&>(*scheduler.policies()[0]).kept = 3;
  static_cast<Diary&>(*scheduler.policies()[1]).kept = 4;
  const auto memory = scheduler.save();
  REQUIRE(memory.values.contains("pruner a"));
  REQUIRE(memory.values.contains("pruner a #2"));
  resumed.load(memory);
  REQUIRE(static_cast<Diary&>(*resumed.policies()[0]).kept == 3);
  REQUIRE(static_cast<Diary&>(*resumed.policies()[1]).kept == 4);
}

TEST_CASE("scheduler: masked weights are zero again after each optimiser step, whoever masked them", "[schedule]") {
  World world;
  Scheduler scheduler;
  world.graph.parameter("fc.weight").mask = at::tensor({1.f, 0.f, 1.f, 0.f}).view({2, 2});
  world.begin_epoch(scheduler, 0);
  world.minibatch(scheduler, 1);
  REQUIRE(world.weights() == Weights{0, 0, 2, 0});
}
