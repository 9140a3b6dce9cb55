// The engine and the parts that judge by weights alone.
#include "prune/composition.h"

#include "prune/make_part.h"
#include "support/check_error.h"
#include "unit/prune/support.h"

#include <ATen/ops/randn.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::prune;
using namespace compress::prune::fixtures;

namespace {

at::Tensor judged(const Graph& graph,
                  const std::string& weight,
                  const std::string& criterion,
                  const std::string& granularity,
                  const std::string& arguments = "{}") {
  const auto part = make_part(criteria(), criterion, parse_yaml(arguments, "criterion.yaml"));
  const auto cut = make_part(analysis::granularities(), granularity);
  Problems problems;
  part->bind(graph, {weight}, *cut, problems);
  problems.raise();
  return part->strengths({graph, weight, *cut, {}});
}

Graph with_fc(std::vector<float> values) {
  Graph graph = small_graph();
  graph.assign("fc.weight", at::tensor(values).view({3, 4}));
  return graph;
}

}  // namespace

TEST_CASE("norms: sums, Euclidean norms, p-norms and the largest magnitude, divided by the length when asked",
          "[prune]") {
  const Graph graph = with_fc({3, -4, 0, 0, 1, 1, 1, 1, -2, 0, 0, 0});
  const auto norm = [&](const std::string& criterion, const std::string& arguments = "{}") {
    return judged(graph, "fc.weight", criterion, "filter", arguments);
  };
  REQUIRE(norm("magnitude").equal(at::tensor({1.75f, 1.f, 0.5f})));
  REQUIRE(norm("l1").equal(at::tensor({7.f, 4.f, 2.f})));
  REQUIRE(norm("l1", "mean: true").equal(norm("magnitude")));
  REQUIRE(norm("l2").equal(at::tensor({5.f, 2.f, 2.f})));
  REQUIRE(norm("max").equal(at::tensor({4.f, 1.f, 2.f})));
  REQUIRE(norm("lp", "p: 3").allclose(at::tensor({4.49794f, 1.58740f, 2.f})));
}

TEST_CASE("geometric median: the filter in the middle goes first; single weights have no middle", "[prune]") {
  const Graph graph = with_fc({0, 0, 0, 0, 1, 1, 1, 1, 5, 5, 5, 5});
  REQUIRE(judged(graph, "fc.weight", "geometric_median", "filter").equal(at::tensor({12.f, 10.f, 18.f})));
  REQUIRE_THAT(compress::test::error_text([&] { judged(graph, "fc.weight", "geometric_median", "element"); }),
               Catch::Contains("compares structures of several weights; 'fc.weight' is cut into 12 single ones"));
}

TEST_CASE("lamp: a square over the sum of the squares that are not smaller", "[prune]") {
  const Graph graph = with_fc({1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  const auto scores = judged(graph, "fc.weight", "lamp", "element").slice(0, 0, 3);
  REQUIRE(scores.allclose(at::tensor({1.f / 14, 4.f / 13, 1.f})));
}

TEST_CASE("batch-norm scale: gamma of what follows; nothing follows is an error", "[prune]") {
  Graph graph = small_graph();
  graph.assign("bn1.weight", at::tensor({-4.f, 1.f, 2.f, -3.f}));
  REQUIRE(judged(graph, "conv1.weight", "batch_norm_scale", "filter").equal(at::tensor({4.f, 1.f, 2.f, 3.f})));
  REQUIRE_THAT(
      compress::test::error_text([&] { judged(graph, "layer1.0.conv1.weight", "batch_norm_scale", "filter"); }),
      Catch::Contains("needs a batch-norm behind 'layer1.0.conv1'"));
  REQUIRE_THAT(compress::test::error_text([&] { judged(graph, "conv1.weight", "batch_norm_scale", "channel"); }),
               Catch::Contains("judges filters"));
}

TEST_CASE("composition: a leader's map is kept while as many stay, and a share of 0 works", "[prune]") {
  Graph graph = small_graph();
  graph.assign("layer1.0.conv1.weight", graph.parameter("layer1.0.conv1.weight").value.flip(0));
  const auto pruner = bound_pruner(graph, "Pruner",
                                   "{granularity: filter, dependency: leader, weights: [conv1.weight, "
                                   "layer1.0.conv1.weight], amount: {class: agp, initial: 0, final: 0.5}}");
  pruner->set_masks(graph, {.index = 0, .count = 3});
  REQUIRE(kept_along(graph, "layer1.0.conv1.weight", 0) == std::vector<int>{1, 1, 1, 1});
  pruner->set_masks(graph, {.index = 2, .count = 3});
  REQUIRE(kept_along(graph, "layer1.0.conv1.weight", 0) == std::vector<int>{0, 0, 1, 1});
  graph.assign("conv1.weight", graph.parameter("conv1.weight").value.flip(0));
  pruner->set_masks(graph, {.index = 2, .count = 3});
  REQUIRE(kept_along(graph, "conv1.weight", 0) == std::vector<int>{0, 0, 1, 1});
}

TEST_CASE("composition: a transposed convolution's filters are its outputs", "[prune]") {
  auto graph = parse_graph(R"(graph g(input: float[N,2,4,4]) -> (output = up)
parameter up.weight: float[2,3,2,2]
up = ConvTranspose(input, %up.weight) kernel_shape=[2,2]
)");
  graph.assign("up.weight", at::arange(24).to(at::kFloat).view({2, 3, 2, 2}));
  bound_pruner(graph, "Pruner", "{granularity: filter, dependency: none, amount: 0.4, weights: [up.weight]}")
      ->set_masks(graph, {});
  REQUIRE(kept_along(graph, "up.weight", 1) == std::vector<int>{0, 1, 1});
}

TEST_CASE("composition: masks have the memory format of their weights", "[prune]") {
  Graph graph = small_graph();
  graph.assign("conv1.weight", at::randn({4, 2, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast));
  bound_pruner(graph, "Pruner", "{granularity: element, amount: 0.5, weights: [conv1.weight]}")->set_masks(graph, {});
  const auto& conv = graph.parameter("conv1.weight");
  REQUIRE(conv.mask.is_contiguous(at::MemoryFormat::ChannelsLast));
  REQUIRE(conv.value.abs().mul(conv.mask).max().item<float>() == conv.value.abs().max().item<float>());
  REQUIRE(conv.mask.sum().item<int>() == 36);
}
