#include "search/fine_tune.h"

#include "search/evaluator.h"
#include "support/check_error.h"
#include "unit/search/support.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::search;
using compress::search::test::World;

namespace {

double loss_of(const World& world, const Graph& graph) {
  return Evaluator(world.data.train, *world.task, {.batch_size = 64, .prefetch = 0}).score(graph).loss;
}

Graph tuned(const World& world, const FineTune& settings, int64_t iteration = 1, double way = 1) {
  auto graph = world.graph.clone();
  fine_tune(graph, settings, world.state, world.data.train, iteration, way);
  return graph;
}

}  // namespace

TEST_CASE("fine-tune: a network learns, its clone does not, and the same draws give the same bits", "[search]") {
  const World world;
  const FineTune settings{.epochs = 2, .learning_rate = 0.05};
  const auto before = world.graph.parameter("fc.weight").value.clone();
  const auto first = tuned(world, settings), second = tuned(world, settings), third = tuned(world, settings, 2);
  REQUIRE(loss_of(world, first) < loss_of(world, world.graph));
  REQUIRE(world.graph.parameter("fc.weight").value.equal(before));
  REQUIRE(first.parameter("fc.weight").value.equal(second.parameter("fc.weight").value));
  REQUIRE_FALSE(first.parameter("fc.weight").value.equal(third.parameter("fc.weight").value));
}

TEST_CASE("fine-tune: masked weights stay zero", "[search]") {
  World world;
  auto mask = at::ones({4, 4});
  mask.select(0, 1).zero_();
  world.graph.parameter("fc.weight").mask = mask;
  {
    const at::NoGradGuard no_grad;
    world.graph.writable("fc.weight").mul_(mask);
  }
  const auto graph = tuned(world, {.batches = 3, .learning_rate = 0.5});
  REQUIRE(graph.parameter("fc.weight").value.select(0, 1).count_nonzero().item<int64_t>() == 0);
}

TEST_CASE("fine-tune: linear-grow trains less at the beginning of the way", "[search]") {
  const World world;
  const FineTune growing{.batches = 4, .learning_rate = 0.05, .policy = FineTune::Policy::linear_grow};
  FineTune one = growing, four = growing;
  one.batches = 1;
  one.policy = four.policy = FineTune::Policy::constant;
  const auto value = [](const Graph& graph) { return graph.parameter("fc.weight").value; };
  REQUIRE(value(tuned(world, growing, 1, 0)).equal(value(tuned(world, one))));
  REQUIRE(value(tuned(world, growing, 1, 1)).equal(value(tuned(world, four))));
}

TEST_CASE("fine-tune: either epochs or batches", "[search]") {
  compress::test::require_error([] { FineTune{}.check(); }, "'fine_tune' needs either 'epochs' or 'batches'");
  compress::test::require_error([] { FineTune{.epochs = 1, .batches = 1}.check(); }, "either 'epochs' or 'batches'");
  REQUIRE_NOTHROW(FineTune{.epochs = 1}.check());
}
