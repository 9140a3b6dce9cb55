#include "prune/pruner.h"

#include "support/check_error.h"
#include "unit/prune/support.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace compress;
using namespace compress::prune;
using namespace compress::prune::fixtures;

TEST_CASE("magnitude pruner: weights up to the threshold go, '*' holds for every other parameter", "[prune]") {
  Graph graph = small_graph();
  graph.assign("conv1.weight", at::ones({4, 2, 3, 3}));
  graph.writable("conv1.weight")[1][1][2][1] = 0.2;
  const auto pruner = bound_pruner(graph, "MagnitudeParameterPruner", "thresholds: {'*': 0.4, fc.bias: 2}");
  pruner->set_masks(graph, {});
  REQUIRE(graph.parameter("conv1.weight").mask.sum().item<int>() == 4 * 2 * 9 - 1);
  REQUIRE(graph.parameter("conv1.weight").mask[1][1][2][1].item<int>() == 0);
  REQUIRE(mask_of(graph, "fc.bias") == std::vector<int>{0, 0, 1});
  REQUIRE(graph.parameter("bn1.weight").mask.defined());
  REQUIRE_FALSE(graph.parameter("bn1.running_mean").mask.defined());
}

TEST_CASE("magnitude pruner: '*' must be there", "[prune]") {
  const auto pruner = make_pruner("MagnitudeParameterPruner", "thresholds: {conv1.weight: 0.4}");
  REQUIRE_THROWS_WITH(pruner->check({}), Catch::Contains("'thresholds' lacks '*'"));
}

TEST_CASE("level pruner: an exact name beats a pattern, a long pattern a short one", "[prune]") {
  Graph graph = small_graph();
  const auto pruner = bound_pruner(graph, "SparsityLevelParameterPruner",
                                   "levels: {'*': 0, '*.bias': 0.5, fc.bias: 0.67, layer1.*.weight: 0.25}");
  pruner->set_masks(graph, {});
  REQUIRE(mask_of(graph, "bn1.bias") == std::vector<int>{0, 0, 1, 1});
  REQUIRE(mask_of(graph, "fc.bias") == std::vector<int>{0, 0, 1});
  REQUIRE(mask_of(graph, "layer1.0.conv1.weight").at(3) == 0);
  REQUIRE(mask_of(graph, "layer1.0.conv1.weight").at(4) == 1);
  REQUIRE(mask_of(graph, "fc.weight").empty());
}

TEST_CASE("level pruner: a policy may replace its levels", "[prune]") {
  Graph graph = small_graph();
  const auto pruner = make_pruner("SparsityLevelParameterPruner", "levels: {fc.bias: 0.9}");
  REQUIRE(pruner->set_levels({{"bn1.bias", 0.5}}));
  Problems problems;
  pruner->bind(graph, problems);
  pruner->set_masks(graph, {});
  REQUIRE(mask_of(graph, "fc.bias").empty());
  REQUIRE(mask_of(graph, "bn1.bias") == std::vector<int>{0, 0, 1, 1});
}

TEST_CASE("gradual pruner: each weight reaches the level of the moment", "[prune]") {
  Graph graph = small_graph();
  const auto pruner = bound_pruner(graph, "AutomatedGradualPruner",
                                   "{initial_sparsity: 0, final_sparsity: 0.5, weights: [module.fc.weight]}");
  pruner->set_masks(graph, {.index = 0, .count = 3});
  REQUIRE(graph.parameter("fc.weight").mask.sum().item<int>() == 12);
  pruner->set_masks(graph, {.index = 2, .count = 3});
  REQUIRE(mask_of(graph, "fc.weight") == std::vector<int>{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1});
}

TEST_CASE("ranked pruner: filters of convolutions and outputs of linear layers", "[prune]") {
  Graph graph = small_graph();
  const auto pruner = bound_pruner(graph, "L1RankedStructureParameterPruner",
                                   "{group_type: Filters, desired_sparsity: 0.5, weights: [conv1.weight, fc.weight]}");
  pruner->set_masks(graph, {});
  REQUIRE(kept_along(graph, "conv1.weight", 0) == std::vector<int>{0, 0, 1, 1});
  REQUIRE(kept_along(graph, "fc.weight", 0) == std::vector<int>{0, 1, 1});
  REQUIRE(graph.parameter("conv1.weight").mask.sizes() == graph.parameter("conv1.weight").value.sizes());
}

TEST_CASE("ranked pruner: exact names only; conv1.weight does not mean layer1.0.conv1.weight", "[prune]") {
  Graph graph = small_graph();
  const auto pruner = bound_pruner(graph, "L1RankedStructureParameterPruner",
                                   "{group_type: 3D, desired_sparsity: 0.5, weights: [conv1.weight]}");
  REQUIRE(pruner->parameters() == std::vector<std::string>{"conv1.weight"});
}

TEST_CASE("ranked pruner: rows are inputs of a linear layer, channels inputs of a convolution", "[prune]") {
  Graph graph = small_graph();
  bound_pruner(graph, "L1RankedStructureParameterPruner",
               "{group_type: Rows, desired_sparsity: 0.5, weights: [fc.weight]}")
      ->set_masks(graph, {});
  REQUIRE(kept_along(graph, "fc.weight", 1) == std::vector<int>{0, 0, 1, 1});
  bound_pruner(graph, "L1RankedStructureParameterPruner",
               "{group_type: Channels, desired_sparsity: 0.5, weights: ['layer1.*.weight']}")
      ->set_masks(graph, {});
  REQUIRE(kept_along(graph, "layer1.0.conv1.weight", 1) == std::vector<int>{0, 0, 1, 1});
}

TEST_CASE("ranked pruner: followers get the leader's map, which stays while the share does", "[prune]") {
  Graph graph = small_graph();
  graph.assign("layer1.0.conv1.weight", graph.parameter("layer1.0.conv1.weight").value.flip(0));
  const std::string arguments = "{group_type: Filters, initial_sparsity: 0, final_sparsity: 0.5, weights: "
                                "[conv1.weight, layer1.0.conv1.weight], group_dependency: Leader}";
  const auto pruner = bound_pruner(graph, "L1RankedStructureParameterPruner_AGP", arguments);
  pruner->set_masks(graph, {.index = 0, .count = 2});
  REQUIRE(kept_along(graph, "conv1.weight", 0) == std::vector<int>{1, 1, 1, 1});
  pruner->set_masks(graph, {.index = 1, .count = 2});
  REQUIRE(kept_along(graph, "layer1.0.conv1.weight", 0) == std::vector<int>{0, 0, 1, 1});

  graph.assign("conv1.weight", graph.parameter("conv1.weight").value.flip(0));
  const auto resumed = bound_pruner(graph, "L1RankedStructureParameterPruner_AGP", arguments);
  resumed->load(pruner->save());
  resumed->set_masks(graph, {.index = 1, .count = 2});
  REQUIRE(kept_along(graph, "conv1.weight", 0) == std::vector<int>{0, 0, 1, 1});
}

TEST_CASE("ranked pruner: a follower of another size is refused", "[prune]") {
  const Graph graph = small_graph();
  const auto text = compress::test::error_text([&] {
    bound_pruner(
        graph, "L1RankedStructureParameterPruner",
        "{group_type: Filters, desired_sparsity: 0.5, weights: [conv1.weight, fc.weight], group_dependency: Leader}");
  });
  REQUIRE_THAT(
      text, Catch::Contains("'fc.weight' cannot follow its leader 'conv1.weight': it has 3 structures, the leader 4"));
}

TEST_CASE("ranked pruner: noise follows from seed, epoch and step", "[prune]") {
  const auto masks = [](uint64_t seed, int64_t step) {
    Graph graph = small_graph();
    graph.assign("fc.weight", at::ones({3, 4}));
    const auto pruner = bound_pruner(graph, "L1RankedStructureParameterPruner",
                                     "{group_type: Rows, desired_sparsity: 0.5, weights: [fc.weight], noise: 1}");
    pruner->set_masks(graph, {.step = step, .seed = seed});
    return mask_of(graph, "fc.weight");
  };
  REQUIRE(masks(1, 0) == masks(1, 0));
  bool differs = false;
  for (int64_t step = 1; step < 10; ++step) differs |= masks(1, step) != masks(1, 0);
  REQUIRE(differs);
}

TEST_CASE("pruner: arguments out of range are refused", "[prune]") {
  const auto text = [](const std::string& arguments) {
    return compress::test::error_text([&] { make_pruner("L1RankedStructureParameterPruner", arguments); });
  };
  REQUIRE_THAT(text("{group_type: Filters, desired_sparsity: 1.0, weights: [a]}"),
               Catch::Contains("'desired_sparsity' must be a number in [0, 1)"));
  REQUIRE_THAT(text("{group_type: Blocked, desired_sparsity: 0.5, weights: [a]}"),
               Catch::Contains("'group_type'") && Catch::Contains("Filters, 3D, Channels, Rows or Blocks"));
  REQUIRE_THAT(text("{group_type: Rows, desired_sparsty: 0.5, weights: [a]}"),
               Catch::Contains("did you mean 'desired_sparsity'?"));
}

TEST_CASE("pruner: names that match nothing are refused with the nearest one", "[prune]") {
  const Graph graph = small_graph();
  const auto text = [&](const std::string& weights) {
    return compress::test::error_text([&] {
      bound_pruner(graph, "AutomatedGradualPruner",
                   "{initial_sparsity: 0, final_sparsity: 0.5, weights: [" + weights + "]}");
    });
  };
  REQUIRE_THAT(text("conv1.wieght"), Catch::Contains("'small' has no parameter 'conv1.wieght'") &&
                                         Catch::Contains("did you mean 'conv1.weight'?"));
  REQUIRE_THAT(text("'layer9.*'"), Catch::Contains("the pattern 'layer9.*' matches no parameter of 'small'"));
  REQUIRE_THAT(text("bn1.running_mean"), Catch::Contains("parameter 'bn1.running_mean' is not trained"));
  REQUIRE_THAT(text("a, b"), Catch::Contains("'a'") && Catch::Contains("'b'"));
}

TEST_CASE("pruner: follows renames and removals", "[prune]") {
  Graph graph = small_graph();
  const auto pruner = bound_pruner(graph, "SparsityLevelParameterPruner", "levels: {'*': 0.5}");
  Changes changes;
  changes.renamed = {{"fc.weight", "head.weight"}};
  changes.removed = {"bn1.weight", "bn1.bias"};
  pruner->apply(changes);
  REQUIRE(pruner->parameters() == std::vector<std::string>{"conv1.weight", "layer1.0.conv1.weight",
                                                           "layer1.0.conv1.bias", "head.weight", "fc.bias"});
}

TEST_CASE("masks: applying one zeroes what it removes and nothing else", "[prune]") {
  Graph graph = small_graph();
  set_mask(graph, "fc.bias", at::tensor({0, 1, 1}));
  apply_mask(graph, graph.parameter("fc.bias"));
  apply_mask(graph, graph.parameter("fc.weight"));
  REQUIRE(graph.parameter("fc.bias").value.equal(at::tensor({0.f, 2.f, 3.f})));
  REQUIRE(graph.parameter("fc.weight").value.sum().item<int>() == 78);
}
