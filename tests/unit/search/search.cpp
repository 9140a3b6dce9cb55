// Laws that hold for every search.
#include "search/search.h"

#include "support/check_error.h"
#include "unit/search/support.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::search;

namespace {

Yaml required_arguments(const Settings& settings) {
  auto map = Yaml::map();
  for (const auto& field : settings.fields())
    if (field.required) map.set(field.name, Yaml::scalar(field.type == "number" ? "0.5" : "1"));
  return map;
}

}  // namespace

TEST_CASE("searches: arguments survive print and read", "[search]") {
  REQUIRE_FALSE(searches().entries().empty());
  for (const auto* entry : searches().entries()) {
    INFO(entry->name);
    REQUIRE_FALSE(entry->doc.empty());
    const auto first = entry->make(), second = entry->make();
    Settings settings, again;
    first->declare(settings);
    second->declare(again);
    settings.read(required_arguments(settings), entry->name);
    again.read(settings.print(), entry->name);
    REQUIRE(to_text(again.print()) == to_text(settings.print()));
    for (const auto& field : settings.fields()) REQUIRE_FALSE(field.doc.empty());
  }
}

TEST_CASE("searches: each one binds, runs and makes the network smaller", "[search]") {
  for (const auto* entry : searches().entries()) {
    INFO(entry->name);
    const auto search = entry->make();
    Settings settings;
    search->declare(settings);
    settings.read(required_arguments(settings), entry->name);
    compress::search::test::World world;
    Problems problems;
    search->bind(world.graph, problems);
    problems.raise();
    search->bind_data(world.data);
    const auto before = world.graph.parameter("conv1.weight").value.numel();
    REQUIRE(search->run(world.state, {}).empty());
    REQUIRE(world.graph.parameter("conv1.weight").value.numel() < before);
    REQUIRE_FALSE(world.state.changes.empty());
  }
}

TEST_CASE("searches: an unknown class is told", "[search]") {
  compress::test::require_error([] { searches().make("GreedyFilterPruner"); }, "unknown search 'GreedyFilterPruner'",
                                "did you mean 'GreedyFilterPruning'?");
}
