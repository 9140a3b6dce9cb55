#include "schedule/policy.h"

#include <catch2/catch.hpp>

using namespace compress::schedule;

TEST_CASE("window: a range is active from start to the exclusive end, every frequency epochs", "[schedule]") {
  const auto window = Window::range(4, 11, 3);
  REQUIRE(window.epochs == std::vector<int64_t>{4, 7, 10});
  REQUIRE(window.active(7));
  REQUIRE_FALSE(window.active(8));
  REQUIRE(window.index(10) == 2);
  REQUIRE(window.ending_epoch == 11);
  REQUIRE(window.str() == "epochs 4-10 step 3");
}

TEST_CASE("window: a list is sorted and has its own indices", "[schedule]") {
  const auto window = Window::list({9, 1, 2, 1});
  REQUIRE(window.epochs == std::vector<int64_t>{1, 2, 9});
  REQUIRE(window.index(9) == 2);
  REQUIRE(window.ending_epoch == 10);
  REQUIRE(window.str() == "epochs 1, 2, 9");
  REQUIRE(Window::list({5}).str() == "epoch 5");
  REQUIRE(Window::range(0, 3).str() == "epochs 0-2");
}

TEST_CASE("window: the latest active epoch", "[schedule]") {
  const auto window = Window::range(4, 11, 3);
  REQUIRE(window.latest(3) == -1);
  REQUIRE(window.latest(4) == 4);
  REQUIRE(window.latest(9) == 7);
  REQUIRE(window.latest(100) == 10);
}

TEST_CASE("window: the spacing is the mean distance of active epochs", "[schedule]") {
  REQUIRE(Window::range(0, 30, 2).spacing() == 2);
  REQUIRE(Window::list({5, 6, 9}).spacing() == 2);
  REQUIRE(Window::list({5}).spacing() == 1);
  REQUIRE(Window().spacing() == 1);
}

TEST_CASE("window: without epochs it is at the end of training", "[schedule]") {
  const Window window;
  REQUIRE(window.at_end());
  REQUIRE(window.first_epoch() == -1);
  REQUIRE(window.last_epoch() == -1);
  REQUIRE_FALSE(window.active(0));
  REQUIRE(window.str() == "after training");
}
