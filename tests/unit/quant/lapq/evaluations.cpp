#include "quant/lapq/evaluations.h"

#include "support/check_error.h"
#include "unit/quant/lapq/functions.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;
using quant::Evaluations;

TEST_CASE("evaluations: the best of all is kept, and each is reported") {
  std::vector<std::string> seen;
  Evaluations loss([](const Point& x, auto) { return std::abs(x[0] - 3); }, 10,
                   [&](const Evaluations::Progress& now) {
                     seen.push_back(fmt::format("{}: {} ({})", now.evaluations, now.loss, now.best.loss));
                   });
  REQUIRE(loss.best().evaluation == 0);
  for (const double x : {0.0, 2.0, 9.0, 4.0}) loss({x});
  REQUIRE(seen == std::vector<std::string>{"1: 3 (3)", "2: 1 (1)", "3: 6 (1)", "4: 1 (1)"});
  REQUIRE(loss.best().point == Point{2});
  REQUIRE(loss.best().evaluation == 2);
}

TEST_CASE("evaluations: what is no number counts as worst, and the first is the best until there is another") {
  const auto infinity = std::numeric_limits<double>::infinity();
  Evaluations loss([](const Point& x, auto) { return x[0]; }, 10);
  for (const double bad : {std::nan(""), infinity, -infinity, 1e200}) REQUIRE(loss({bad}) == quant::kWorstLoss);
  REQUIRE(loss.best().evaluation == 1);
  loss({5});
  REQUIRE(loss.best().loss == 5);
}

TEST_CASE("evaluations: no more than allowed") {
  Evaluations loss(plain(beale), 2);
  loss({0, 0});
  REQUIRE_FALSE(loss.spent());
  loss({1, 0});
  REQUIRE(loss.spent());
  REQUIRE_THROWS_AS(loss({2, 0}), quant::BudgetSpent);
  REQUIRE(loss.count() == 2);
  require_error([] { Evaluations(plain(beale), 0); }, "a search needs one evaluation at least, not 0");
}

TEST_CASE("evaluations: a loss may stop the search") {
  std::optional<Evaluations> loss;
  loss.emplace(
      [&](const Point& x, auto) -> double {
        if (x[0] < 2) return x[0];
        loss->stop();
        throw quant::BudgetSpent{};
      },
      10);
  (*loss)({1});
  REQUIRE_THROWS_AS((*loss)({2}), quant::BudgetSpent);
  REQUIRE(loss->spent());
  REQUIRE(loss->count() == 1);
  REQUIRE_THROWS_AS((*loss)({1}), quant::BudgetSpent);
}

TEST_CASE("evaluations: an exception of the loss passes through and is not counted") {
  Evaluations loss(
      [](const Point& x, auto) -> double {
        if (x[0] > 1) throw run_error("interrupted");
        return x[0];
      },
      10);
  loss({0.5});
  require_error([&] { loss({2}); }, "interrupted");
  REQUIRE(loss.count() == 1);
  REQUIRE(loss.best().point == Point{0.5});
}

TEST_CASE("evaluations: saved losses are not evaluated again; other points are refused") {
  Evaluations first(plain(beale), 10);
  first({1, 2});
  first({0.1, 1.0 / 3}, 1);
  std::vector<Call> calls;
  const auto loaded = [&] {
    Evaluations second(recorded(beale, calls), 10);
    second.load(nlohmann::json::parse(first.save().dump()));
    return second;
  };
  auto same = loaded();
  REQUIRE(same.best().point == Point{0.1, 1.0 / 3});
  REQUIRE(same.best().evaluation == 2);
  REQUIRE(same({1, 2}) == beale({1, 2}));
  require_error([&] { same.check_replayed(); }, "the saved search took other points than this one (up to evaluation 1)",
                "remove the saved state to start afresh");
  REQUIRE(same({0.1, 1.0 / 3}, 1) == beale({0.1, 1.0 / 3}));
  REQUIRE(calls.empty());
  same.check_replayed();
  same({3, 0.5});
  REQUIRE(calls.size() == 1);
  REQUIRE(same.best().evaluation == 3);
  auto other = loaded();
  other({1, 2});
  require_error([&] { other({0.1, 1.0 / 3}); }, "took other points than this one (up to evaluation 2)");
  REQUIRE(other.save() == first.save());  // what was refused is not lost
}

TEST_CASE("evaluations: damaged states are refused") {
  const auto load = [](const std::string& text) {
    Evaluations loss(plain(beale), 10);
    loss.load(nlohmann::json::parse(text));
  };
  require_error([&] { load("{}"); }, "the saved search is damaged", "version");
  require_error([&] { load(R"({"version": 2})"); }, "the saved search has version 2; this program reads version 1");
  require_error([&] { load(R"({"version": 1, "losses": ["a"]})"); }, "the saved search is damaged");
  const std::string rest = R"("losses": [], "best": {"point": [], "loss": 1, "evaluation": 0}})";
  require_error([&] { load(R"({"version": 1, "trace": "xyz", )" + rest); }, "'xyz' is no hexadecimal number");
  Evaluations begun(plain(beale), 10);
  begun({1, 1});
  require_error([&] { begun.load(begun.save()); }, "a saved search can only be loaded before the first evaluation");
}

TEST_CASE("region: what is wrong is said") {
  const auto region = cube(2, -1, 1, 0.1);
  region.check({0, 1});
  require_error([&] { region.check({0, 2}); }, "coordinate 1: the start 2 is outside the bounds -1 and 1");
  require_error([&] { region.check({std::nan(""), 0}); }, "coordinate 0: the start nan is outside");
  require_error([&] { region.check({0}); }, "2 lower bounds, 2 upper bounds, 2 steps and a start of 1 coordinates");
  require_error([] { cube(0, 0, 1, 1).check({}); }, "there is nothing to search: no coordinates");
  require_error([] { cube(1, 2, 1, 1).check({1}); }, "coordinate 0: the bounds 2 and 1 are not in order");
  require_error([] { cube(1, 0, 1, 0).check({1}); }, "coordinate 0: the step is 0; it must be a positive number");
  REQUIRE(region.clamped({-3, 0.5}) == Point{-1, 0.5});
}

TEST_CASE("searches: how they ended, in words") {
  Evaluations loss(plain(beale), 10);
  loss({0, 0});
  REQUIRE(stop_text({.iterations = 1}, loss) == "converged after 1 iteration");
  REQUIRE(stop_text({.iterations = 2, .stop = quant::Stop::iterations}, loss) ==
          "stopped at its limit of 2 iterations");
  REQUIRE(stop_text({.stop = quant::Stop::evaluations}, loss) == "stopped at its limit of 1 evaluation");
}
