// Distiller's classes: their arithmetic and their arguments.
#include "support/check_error.h"
#include "unit/prune/support.h"

#include <ATen/ops/randn.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

using namespace compress;
using namespace compress::prune;
using namespace compress::prune::fixtures;

namespace {

Graph with_bias(std::vector<float> values) {
  Graph graph = small_graph();
  graph.assign("fc.weight", at::tensor(values).view({3, 4}));
  return graph;
}

std::string refusal(const std::string& name, const std::string& arguments, const Moment& moment = {.count = 5}) {
  return compress::test::error_text([&] {
    const Graph graph = small_graph();
    make_pruner(name, arguments)->check(moment);
    bound_pruner(graph, name, arguments);
  });
}

/// A convolution with that many filters.
Graph wide(int64_t filters) {
  auto graph = parse_graph(fmt::format("graph g(input: float[N,2,4,4]) -> (output = conv1)\nparameter conv1.weight: "
                                       "float[{},2,3,3]\nconv1 = Conv(input, %conv1.weight) kernel_shape=[3,3]\n",
                                       filters));
  graph.assign("conv1.weight", at::randn({filters, 2, 3, 3}));
  return graph;
}

int zeros(const Graph& graph, const std::string& name) {
  return graph.parameter(name).mask.eq(0).sum().item<int>();
}

}  // namespace

TEST_CASE("sensitivity pruner: the standard deviation is that of the first use, after a resume too", "[prune]") {
  Graph graph = small_graph();
  const std::string arguments = "sensitivities: {fc.weight: 1}";
  const auto pruner = bound_pruner(graph, "SensitivityPruner", arguments);
  const double deviation = graph.parameter("fc.weight").value.std().item<double>();
  pruner->set_masks(graph, {});
  REQUIRE(zeros(graph, "fc.weight") == static_cast<int>(deviation));
  graph.assign("fc.weight", graph.parameter("fc.weight").value.mul(2));
  const auto resumed = bound_pruner(graph, "SensitivityPruner", arguments);
  resumed->load(pruner->save());
  resumed->set_masks(graph, {});
  REQUIRE(zeros(graph, "fc.weight") == static_cast<int>(deviation / 2));
}

TEST_CASE("splicing pruner: between the thresholds a weight stays what it was", "[prune]") {
  Graph graph = with_bias({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const auto pruner =
      bound_pruner(graph, "SplicingPruner", "{sensitivities: {fc.weight: 0}, low_thresh_mult: 0.5, hi_thresh_mult: 1}");
  pruner->set_masks(graph, {});
  REQUIRE(mask_of(graph, "fc.weight") == std::vector<int>{0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  // The mean stays 6.5: below 3.25 goes, from 6.5 on comes back, 4 and 5 stay what they were.
  graph.assign("fc.weight", at::tensor({4, 5, 7, 3, 5, 6, 7, 8, 9, 10, 11, 12}).to(at::kFloat).view({3, 4}));
  pruner->set_masks(graph, {});
  REQUIRE(mask_of(graph, "fc.weight") == std::vector<int>{0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1});
}

TEST_CASE("splicing pruner: the sensitivity may grow with the epochs", "[prune]") {
  Graph graph = with_bias({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const auto pruner = bound_pruner(graph, "SplicingPruner",
                                   "{sensitivities: {'fc.weight': 0.5}, low_thresh_mult: 0.5, hi_thresh_mult: 2, "
                                   "sensitivity_multiplier: 1}");
  const double deviation = graph.parameter("fc.weight").value.std().item<double>();
  pruner->set_masks(graph, {.epoch = 5, .first_epoch = 3});
  REQUIRE(zeros(graph, "fc.weight") == static_cast<int>(std::ceil((6.5 + 1.5 * deviation) * 0.5)) - 1);
  REQUIRE_THAT(refusal("SplicingPruner", "{sensitivities: {'*': 1}, low_thresh_mult: 1, hi_thresh_mult: 0.5}"),
               Catch::Contains("'hi_thresh_mult' (0.5) must not be below 'low_thresh_mult' (1)"));
}

TEST_CASE("Baidu's pruner: the threshold follows two straight lines", "[prune]") {
  Graph graph = small_graph();
  const auto pruner = bound_pruner(graph, "BaiduRNNPruner",
                                   "{q: 10, ramp_epoch_offset: 2, ramp_slope_mult: 1.5, weights: [fc.weight]}");
  // slope 2 * 10 / (2 * 2 + 3 * 3) = 20 / 13 an epoch, then 1.5 times that
  const double slope = 20.0 / 13;
  for (int64_t epoch = 0; epoch < 5; ++epoch) {
    const double limit =
        epoch < 2 ? slope * static_cast<double>(epoch + 1) : slope * 3 + 1.5 * slope * static_cast<double>(epoch - 1);
    pruner->set_masks(graph, {.index = epoch, .count = 5, .epoch = epoch + 10, .first_epoch = 10});
    REQUIRE(zeros(graph, "fc.weight") == std::min(12, static_cast<int>(limit)));
  }
  REQUIRE_THAT(refusal("BaiduRNNPruner", "{q: 1, ramp_epoch_offset: 5, ramp_slope_mult: 1.5, weights: [fc.weight]}"),
               Catch::Contains("'ramp_epoch_offset' (5) must lie within the policy's window of 5 epochs"));
}

TEST_CASE("ranked pruner: blocks of filters and channels", "[prune]") {
  Graph graph = small_graph();
  bound_pruner(graph, "L1RankedStructureParameterPruner",
               "{group_type: Blocks, desired_sparsity: 0.5, weights: [layer1.0.conv1.weight], kwargs: {block_shape: "
               "[2, 2, 1, 1]}}")
      ->set_masks(graph, {});
  REQUIRE(mask_of(graph, "layer1.0.conv1.weight") == std::vector<int>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1});
  const std::string head = "{desired_sparsity: 0.5, weights: [layer1.0.conv1.weight], group_type: ";
  REQUIRE_THAT(refusal("L1RankedStructureParameterPruner", head + "Blocks}"), Catch::Contains("'block_shape'"));
  REQUIRE_THAT(refusal("L1RankedStructureParameterPruner", head + "Filters, kwargs: {block_shape: [1, 1, 1, 1]}}"),
               Catch::Contains("'group_type: Blocks' only"));
  REQUIRE_THAT(refusal("L1RankedStructureParameterPruner", head + "Blocks, kwargs: {block_shape: [1, 1, 3, 3]}}"),
               Catch::Contains("[filters, channels, 1, 1]"));
  REQUIRE_THAT(refusal("L1RankedStructureParameterPruner", head + "Blocks, kwargs: {block_shape: [3, 1, 1, 1]}}"),
               Catch::Contains("no multiple of 3"));
}

TEST_CASE("ranked pruner: a weight without such structures is refused", "[prune]") {
  const auto text = [](const std::string& group, const std::string& weight) {
    return refusal("L1RankedStructureParameterPruner",
                   "{desired_sparsity: 0.5, group_type: " + group + ", weights: [" + weight + "]}");
  };
  REQUIRE_THAT(text("Filters", "bn1.weight"), Catch::Contains("'bn1.weight' has no filters: its shape is 4"));
  REQUIRE_THAT(text("Channels", "bn1.weight"), Catch::Contains("'bn1.weight' has no channels"));
  REQUIRE_THAT(text("Rows", "conv1.weight"), Catch::Contains("'conv1.weight' has no rows: its shape is 4x2x3x3") &&
                                                 Catch::Contains("Filters or Channels"));
}

TEST_CASE("ranked pruner: rounding and group size are obeyed", "[prune]") {
  Graph graph = small_graph();
  const auto kept = [&](const std::string& more) {
    bound_pruner(graph, "L2RankedStructureParameterPruner",
                 "{group_type: Filters, desired_sparsity: 0.3, weights: [conv1.weight], " + more + "}")
        ->set_masks(graph, {});
    return kept_along(graph, "conv1.weight", 0);
  };
  REQUIRE(kept("rounding_fn: floor") == std::vector<int>{0, 1, 1, 1});
  REQUIRE(kept("rounding_fn: ceil") == std::vector<int>{0, 0, 1, 1});
  REQUIRE(kept("rounding_fn: ceil, group_size: 2") == std::vector<int>{0, 0, 1, 1});
  REQUIRE(kept("rounding_fn: floor, group_size: 2") == std::vector<int>{1, 1, 1, 1});
}

TEST_CASE("random level pruner: each mask has a level of its own in the range", "[prune]") {
  Graph graph = wide(100);
  const auto pruner = bound_pruner(graph, "RandomLevelStructureParameterPruner",
                                   "{group_type: Filters, sparsity_range: [0.2, 0.6], weights: [conv1.weight]}");
  std::vector<int> counts;
  for (int64_t step = 0; step < 8; ++step) {
    pruner->set_masks(graph, {.step = step, .seed = 1});
    counts.push_back(zeros(graph, "conv1.weight") / 18);
    REQUIRE(counts.back() >= 20);
    REQUIRE(counts.back() < 60);
  }
  REQUIRE(std::ranges::adjacent_find(counts, std::not_equal_to<>()) != counts.end());
  REQUIRE_THAT(refusal("RandomLevelStructureParameterPruner",
                       "{group_type: Filters, sparsity_range: [0.6, 0.2], weights: [conv1.weight]}"),
               Catch::Contains("'sparsity_range' must be two shares"));
}

TEST_CASE("random and Bernoulli pruners: as many as asked, and about as many", "[prune]") {
  Graph graph = wide(400);
  const std::string arguments = "{group_type: 3D, desired_sparsity: 0.3, weights: [conv1.weight]}";
  bound_pruner(graph, "RandomRankedFilterPruner", arguments)->set_masks(graph, {.seed = 1});
  REQUIRE(zeros(graph, "conv1.weight") == 120 * 18);
  bound_pruner(graph, "BernoulliFilterPruner", arguments)->set_masks(graph, {.seed = 1});
  REQUIRE(zeros(graph, "conv1.weight") % 18 == 0);
  REQUIRE(zeros(graph, "conv1.weight") / 18 == Approx(120).margin(36));
  REQUIRE_THAT(refusal("RandomRankedFilterPruner", "{group_type: Rows, desired_sparsity: 0.3, weights: [fc.weight]}"),
               Catch::Contains("'group_type'") && Catch::Contains("Filters or 3D"));
}

TEST_CASE("structure pruner: each parameter has its threshold and kind of structure", "[prune]") {
  Graph graph = small_graph();
  const auto pruner = bound_pruner(graph, "StructureParameterPruner",
                                   "{reg_regims: {fc.weight: [8, Cols], '*conv1.weight': [20, 3D], "
                                   "layer1.0.conv1.weight: [13, 2D]}, threshold_criteria: Max}");
  pruner->set_masks(graph, {});
  REQUIRE(kept_along(graph, "conv1.weight", 0) == std::vector<int>{0, 1, 1, 1});
  REQUIRE(mask_of(graph, "layer1.0.conv1.weight") == std::vector<int>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1});
  REQUIRE(kept_along(graph, "fc.weight", 1) == std::vector<int>{1, 1, 1, 1});
  REQUIRE_THAT(refusal("StructureParameterPruner", "{reg_regims: {fc.weight: [8, Colums]}, threshold_criteria: Max}"),
               Catch::Contains("there is no group 'Colums'") && Catch::Contains("did you mean 'Cols'?"));
  REQUIRE_THAT(refusal("StructureParameterPruner", "{reg_regims: {fc.weight: 8}, threshold_criteria: Max}"),
               Catch::Contains("'reg_regims.fc.weight' must be [threshold, group]"));
  REQUIRE_THAT(refusal("StructureParameterPruner", "{reg_regims: {fc.weight: [8, 2D]}, threshold_criteria: Mean_Abs}"),
               Catch::Contains("'fc.weight'"));
}

TEST_CASE("level pruner: a level of 0 claims nothing, and 1 is refused", "[prune]") {
  const Graph graph = small_graph();
  const auto pruner = bound_pruner(graph, "SparsityLevelParameterPruner", "levels: {'*': 0, fc.weight: 0.5}");
  REQUIRE(pruner->parameters() == std::vector<std::string>{"fc.weight"});
  REQUIRE_THAT(refusal("SparsityLevelParameterPruner", "levels: {fc.weight: 1}"), Catch::Contains("in [0, 1)"));
  REQUIRE_THAT(refusal("SparsityLevelParameterPruner", "levels: {}"), Catch::Contains("'levels' is empty"));
}
