#include "core/file.h"
#include "core/text.h"
#include "io/checkpoint.h"
#include "search/greedy.h"
#include "search/search.h"
#include "support/check_error.h"
#include "support/temporary_folder.h"
#include "unit/search/support.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::search;
using compress::search::test::StoppingTask;
using compress::search::test::World;
using compress::test::require_error;
using compress::test::TemporaryFolder;

namespace {

std::unique_ptr<Search> search_with(const std::string& arguments) {
  auto search = searches().make("GreedyFilterPruning");
  Settings settings;
  search->declare(settings);
  settings.read(parse_yaml("{" + arguments + "}", "search.yaml"), "GreedyFilterPruning");
  return search;
}

std::vector<std::string> column(const std::filesystem::path& csv, size_t index) {
  std::vector<std::string> cells;
  for (const auto& line : split(read_file(csv), '\n'))
    if (!line.empty()) cells.push_back(split(line, ',').at(index));
  return {cells.begin() + 1, cells.end()};
}

void require_same_weights(const Graph& a, const Graph& b) {
  REQUIRE(a.parameter_names() == b.parameter_names());
  for (const Parameter& parameter : a.parameters()) {
    INFO(parameter.name);
    REQUIRE(parameter.value.equal(b.parameter(parameter.name).value));
  }
}

/// Searches until `networks` have been scored, then again to the end.
void search_with_interruption(World& world, const std::string& arguments, int networks, const TemporaryFolder& folder) {
  {
    const World before;
    const StoppingTask stopping(*before.task, networks);
    World first(compress::search::test::redundant_network(), &stopping);
    require_error([&] { search_with(arguments)->run(first.state, folder.path()); }, "interrupted");
    REQUIRE(first.graph.parameter("conv1.weight").value.size(0) == 8);
  }
  REQUIRE(search_with(arguments)->run(world.state, folder.path()).empty());
}

}  // namespace

TEST_CASE("greedy: channels that nothing needs go first, and the budget is met", "[search]") {
  World world;
  const TemporaryFolder folder;
  REQUIRE(search_with("target: 0.6")->run(world.state, folder.path()).empty());
  REQUIRE(size_of(world.graph).macs == 48);
  REQUIRE(column(folder / "search.csv", 3) ==
          std::vector<std::string>{"", "conv1.weight", "conv1.weight", "conv1.weight", "conv1.weight"});
  REQUIRE(column(folder / "search.csv", 1) == std::vector<std::string>(5, "100"));
  REQUIRE(column(folder / "search.csv", 7).back() == "0.600000");
  REQUIRE(world.graph.parameter("conv1.weight").value.size(0) == 4);
  REQUIRE(world.graph.parameter("conv2.weight").value.size(0) == 4);
  REQUIRE(world.state.changes.size() == 1);
}

TEST_CASE("greedy: other resources and steps", "[search]") {
  World world;
  REQUIRE(search_with("target: 0.65, of: parameters, step: 0.5")->run(world.state, {}).empty());
  REQUIRE(size_of(world.graph).parameters <= 0.65 * 84);
  World bytes;
  REQUIRE(search_with("target: 0.65, of: bytes, step: 0.5")->run(bytes.state, {}).empty());
  REQUIRE(size_of(bytes.graph).bytes <= 0.65 * 336);
}

TEST_CASE("greedy: netadapt saves the same with each try", "[search]") {
  World world;
  const TemporaryFolder folder;
  REQUIRE(search_with("target: 0.6, mode: netadapt, step: 0.2")->run(world.state, folder.path()).empty());
  // 20 % of 80 MACs are two channels of conv1.
  REQUIRE(column(folder / "search.csv", 4) == std::vector<std::string>{"0", "2", "2"});
  REQUIRE(size_of(world.graph).macs == 48);
}

TEST_CASE("greedy: netadapt takes smaller savings when no group alone has one", "[search]") {
  World world;
  REQUIRE(search_with("target: 0.4, mode: netadapt, step: 0.9")->run(world.state, {}).empty());
  REQUIRE(size_of(world.graph).macs <= 32);
}

TEST_CASE("greedy: the same seed gives the same network, with fine-tuning too", "[search]") {
  const std::string arguments = "target: 0.5, fine_tune: {batches: 2, learning_rate: 0.05, policy: linear-grow}";
  World first, second;
  search_with(arguments)->run(first.state, {});
  search_with(arguments)->run(second.state, {});
  require_same_weights(first.graph, second.graph);
  REQUIRE(size_of(first.graph).macs <= 40);
}

TEST_CASE("greedy: an interrupted search has kept its best, and goes on to the same end", "[search]") {
  for (const std::string arguments :
       {"target: 0.45, step: 0.25", "target: 0.45, step: 0.25, fine_tune: {batches: 2, learning_rate: 0.05}"}) {
    INFO(arguments);
    World whole, resumed;
    const TemporaryFolder one, two;
    REQUIRE(search_with(arguments)->run(whole.state, one.path()).empty());
    search_with_interruption(resumed, arguments, 6, two);
    require_same_weights(whole.graph, resumed.graph);
    REQUIRE(read_file(one / "search.csv") == read_file(two / "search.csv"));
    // Once more: nothing is tried again.
    World again;
    const StoppingTask none(*again.task, 0);
    World finished(compress::search::test::redundant_network(), &none);
    REQUIRE(search_with(arguments)->run(finished.state, one.path()).empty());
    require_same_weights(whole.graph, finished.graph);
  }
}

TEST_CASE("greedy: what an interrupted search has kept is a network", "[search]") {
  const World before;
  const StoppingTask stopping(*before.task, 8);
  World world(compress::search::test::redundant_network(), &stopping);
  const TemporaryFolder folder;
  require_error([&] { search_with("target: 0.45")->run(world.state, folder.path()); }, "interrupted");
  const auto kept = io::load_checkpoint(folder / "best").graph;
  REQUIRE(kept.parameter("conv1.weight").value.size(0) < 8);
  REQUIRE(column(folder / "search.csv", 0).size() >= 2);
}

TEST_CASE("greedy: a goal that is not reached is said, and the best so far stays", "[search]") {
  World limited;
  const auto iterations = search_with("target: 0.3, max_iterations: 2")->run(limited.state, {});
  REQUIRE(iterations == "the search ended at 80.0 % of the MACs, above its target of 30 %: 'max_iterations' is 2");
  REQUIRE(size_of(limited.graph).macs == 64);
  World strict;
  const auto metric = search_with("target: 0.3, metric_limit: 99")->run(strict.state, {});
  REQUIRE(metric.find("the search ended at 60.0 % of the MACs, above its target of 30 %: the best next step has a top1 "
                      "of ") == 0);
  REQUIRE(metric.ends_with("beyond 'metric_limit' 99"));
  REQUIRE(size_of(strict.graph).macs == 48);
}

TEST_CASE("greedy: another recipe's search is not taken up", "[search]") {
  const TemporaryFolder folder;
  World first;
  first.graph.metadata["recipe.hash"] = "a";
  search_with("target: 0.6")->run(first.state, folder.path());
  World second;
  second.graph.metadata["recipe.hash"] = "b";
  search_with("target: 0.8")->run(second.state, folder.path());
  REQUIRE(size_of(second.graph).macs == 64);
}

TEST_CASE("greedy: what cannot be is said before the search", "[search]") {
  require_error([] { search_with("target: 1"); },
                "search.yaml:1:10: error: 'target' must be a number in (0, 1), not 1");
  require_error([] { search_with("target: 0.5, of: flops"); }, "'of' must be one of macs, parameters or bytes");
  require_error([] { search_with("target: 0.5, fine_tune: {epochs: 1, batches: 2}"); }, "either 'epochs' or 'batches'");
  const auto text = [](const std::string& arguments) {
    Problems problems;
    search_with(arguments)->bind(compress::search::test::redundant_network(), problems);
    return compress::test::error_text([&] { problems.raise(); });
  };
  REQUIRE(text("target: 0.1").find("the 'target' 0.1 of the MACs cannot be reached: 0.1125 stay when every group") !=
          std::string::npos);
  REQUIRE(text("target: 0.5, criterion: taylor").find("the criterion 'taylor' judges by activations or gradients") !=
          std::string::npos);
  REQUIRE(text("target: 0.5, include: [conv9.weight]").find("'conv9.weight' names no weight") != std::string::npos);
}
