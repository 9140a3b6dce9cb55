// The recipes that come with the program parse, and contain what they promise.
#include "unit/schedule/support.h"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace compress::schedule;

TEST_CASE("schedules: every recipe in schedules/ parses", "[schedule]") {
  int recipes = 0;
  for (const auto& file : std::filesystem::directory_iterator("schedules")) {
    if (file.path().extension() != ".yaml") continue;
    INFO(file.path().string());
    const auto recipe = Recipe::read(file.path());
    REQUIRE(recipe.name == file.path().stem().string());
    REQUIRE(recipe.has_model());
    REQUIRE(recipe.has_data());
    REQUIRE(!recipe.policies.empty());
    ++recipes;
  }
  REQUIRE(recipes >= 20);
}
