#include "search/evaluator.h"

#include "search/environment.h"
#include "support/check_error.h"
#include "unit/search/support.h"
#include "zoo.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace compress;
using namespace compress::search;
using compress::search::test::World;

TEST_CASE("evaluator: variations that share their beginning score as each for itself", "[search]") {
  World world;
  const Environment environment(world.graph, {}, Resource::macs, compress::search::test::by_magnitude());
  const Evaluator evaluator(world.data.validation, *world.task, {.batch_size = 40, .prefetch = 0});
  std::vector<Environment::Step> steps;
  for (size_t unit = 0; unit < 2; ++unit)
    for (int64_t count = 1; count <= 3; ++count) steps.push_back(environment.step(unit, count));
  std::vector<const Graph*> graphs;
  for (const auto& step : steps) graphs.push_back(&step.graph);
  std::vector<double> shares;
  const auto scores = evaluator.scores(world.graph, graphs, [&](double share) { shares.push_back(share); });
  REQUIRE(shares.back() == Approx(1));
  for (size_t i = 0; i < graphs.size(); ++i) {
    INFO(i);
    const auto alone = evaluator.score(*graphs[i]);
    REQUIRE(scores[i].metric == alone.metric);
    REQUIRE(scores[i].loss == Approx(alone.loss).epsilon(1e-6));
  }
  REQUIRE(scores[0].metric == 100);
  REQUIRE(scores[3].metric < 100);
}

TEST_CASE("evaluator: the better metric wins, then the smaller loss, and numbers beat none", "[search]") {
  const double nan = std::nan("");
  REQUIRE(Score{90, 1}.better_than({80, 0.5}));
  REQUIRE_FALSE(Score{90, 1}.better_than({90, 0.5}));
  REQUIRE(Score{90, 0.5}.better_than({90, 1}));
  REQUIRE_FALSE(Score{90, 0.5}.better_than({90, 0.5}));
  REQUIRE(Score{1, 1, false}.better_than({2, 1, false}));
  REQUIRE(Score{1, 1}.better_than({nan, 0}));
  REQUIRE_FALSE(Score{nan, 0}.better_than({1, 1}));
  REQUIRE(Score{1, 1}.better_than({1, nan}));
}

TEST_CASE("search data: without a validation split a tenth of the training samples is held out", "[search]") {
  World world;
  REQUIRE(search_data(world.data, 0, 1).validation == world.data.validation);
  REQUIRE(search_data(world.data, 10, 1).validation->size() == 10);
  data::Splits splits{.train = world.data.train, .calibration = world.data.train};
  const auto held_out = search_data(splits, 0, 1);
  REQUIRE(held_out.validation->size() == 13);
  REQUIRE(held_out.train->size() == 115);
  splits.train = splits.calibration = compress::search::test::largest_of_four(4, 1);
  compress::test::require_error([&] { search_data(splits, 0, 1); },
                                "there is no validation data to search by, and too few training samples (4)",
                                "data.validation_split");
}
