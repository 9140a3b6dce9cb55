// AC/DC and RigL: weights that were removed come back, and the number of those that stay is exact at each moment.
#include "prune/pruner.h"
#include "prune/sparse_distribution.h"
#include "support/check_error.h"
#include "unit/prune/data_driven.h"
#include "unit/prune/support.h"

#include <ATen/ops/tensor.h>

#include <numeric>

using namespace compress;
using namespace compress::prune;
using namespace compress::prune::fixtures;
using compress::test::require_error;

namespace {

Graph two_layers() {
  auto graph = parse_graph("graph g(input: float[N,4]) -> (output = b)\nparameter a.weight: float[4,4]\n"
                           "parameter b.weight: float[2,4]\na = Gemm(input, %a.weight) transB=1\n"
                           "b = Gemm(a, %b.weight) transB=1\n");
  graph.assign("a.weight", at::arange(1, 17).to(at::kFloat).view({4, 4}).set_requires_grad(true));
  graph.assign("b.weight", at::arange(17, 25).to(at::kFloat).view({2, 4}).set_requires_grad(true));
  return graph;
}

int64_t stays(const Graph& graph, const std::string& name) {
  const auto mask = mask_of(graph, name);
  return mask.empty() ? graph.parameter(name).value.numel() : std::accumulate(mask.begin(), mask.end(), 0);
}

void apply_all(Graph& graph) {
  for (const auto& name : graph.parameter_names()) apply_mask(graph, graph.parameter(name));
}

std::vector<bool> compressed_epochs(const std::string& arguments, int64_t count) {
  std::vector<bool> phases;
  auto graph = two_layers();
  const auto pruner = bound_pruner(graph, "AcDcPruner", "{level: 0.5, " + arguments + "}");
  for (int64_t i = 0; i < count; ++i) {
    pruner->set_masks(graph, {.index = i, .count = count});
    phases.push_back(graph.parameter("a.weight").mask.defined());
  }
  return phases;
}

}  // namespace

TEST_CASE("AC/DC: phases take turns, and the last one is compressed", "[prune]") {
  using Phases = std::vector<bool>;
  REQUIRE(compressed_epochs("warmup: 1", 6) == Phases{false, true, false, true, false, true});
  REQUIRE(compressed_epochs("warmup: 1", 7) == Phases{false, true, false, true, false, true, true});
  REQUIRE(compressed_epochs("compressed: 2, decompressed: 1", 6) == Phases{true, true, false, true, true, true});
  REQUIRE(compressed_epochs("compressed: 3", 4) == Phases{true, true, true, true});
}

TEST_CASE("AC/DC: the level is exact over all weights or in each, and no layer loses all", "[prune]") {
  auto graph = two_layers();
  bound_pruner(graph, "AcDcPruner", "{level: 0.5}")->set_masks(graph, {.count = 4});
  REQUIRE(stays(graph, "a.weight") == 4);
  REQUIRE(stays(graph, "b.weight") == 8);
  bound_pruner(graph, "AcDcPruner", "{level: 0.75}")->set_masks(graph, {.count = 4});
  REQUIRE(stays(graph, "a.weight") == 1);
  REQUIRE(stays(graph, "b.weight") == 5);
  bound_pruner(graph, "AcDcPruner", "{level: 0.75, scope: each}")->set_masks(graph, {.count = 4});
  REQUIRE(stays(graph, "a.weight") == 4);
  REQUIRE(stays(graph, "b.weight") == 2);
}

TEST_CASE("AC/DC: masks stay through a compressed phase and are chosen anew in the next", "[prune]") {
  auto graph = two_layers();
  const auto pruner =
      bound_pruner(graph, "AcDcPruner", "{level: 0.5, scope: each, compressed: 2, weights: [b.weight]}");
  pruner->set_masks(graph, {.index = 0, .count = 5});
  const auto first = mask_of(graph, "b.weight");
  graph.writable("b.weight").detach().copy_(at::arange(8, 0, -1).to(at::kFloat).view({2, 4}));
  pruner->set_masks(graph, {.index = 1, .count = 5});
  REQUIRE(mask_of(graph, "b.weight") == first);
  pruner->set_masks(graph, {.index = 2, .count = 5});
  REQUIRE(mask_of(graph, "b.weight").empty());
  pruner->set_masks(graph, {.index = 3, .count = 5});
  REQUIRE(mask_of(graph, "b.weight") == std::vector<int>{1, 1, 1, 1, 0, 0, 0, 0});
}

TEST_CASE("AC/DC: a window that ends in the warm-up is refused", "[prune]") {
  const auto pruner = make_pruner("AcDcPruner", "{level: 0.5, warmup: 3}");
  require_error([&] { pruner->check({.count = 3}); }, "'warmup' is 3 epochs", "active in 3");
}

TEST_CASE("RigL: starts with as many weights as it keeps, at random by the seed or the largest", "[prune]") {
  auto graph = two_layers();
  const std::string arguments = "{level: 0.75, distribution: uniform";
  bound_pruner(graph, "RigLPruner", arguments + "}")->set_masks(graph, {.count = 10, .seed = 3});
  const auto random = mask_of(graph, "a.weight");
  REQUIRE(stays(graph, "a.weight") == 4);
  REQUIRE(stays(graph, "b.weight") == 2);
  auto again = two_layers();
  bound_pruner(again, "RigLPruner", arguments + "}")->set_masks(again, {.count = 10, .seed = 3});
  REQUIRE(mask_of(again, "a.weight") == random);
  auto largest = two_layers();
  bound_pruner(largest, "RigLPruner", arguments + ", start: magnitude}")->set_masks(largest, {.count = 10});
  REQUIRE(mask_of(largest, "b.weight") == std::vector<int>{0, 0, 0, 0, 0, 0, 1, 1});
}

TEST_CASE("RigL: the smallest weights make room for those with the largest gradients", "[prune]") {
  auto graph = two_layers();
  const auto pruner = bound_pruner(
      graph, "RigLPruner", "{level: 0.5, distribution: uniform, start: magnitude, fraction: 0.5, weights: [b.weight]}");
  pruner->set_masks(graph, {.index = 0, .count = 10});
  apply_all(graph);
  REQUIRE(mask_of(graph, "b.weight") == std::vector<int>{0, 0, 0, 0, 1, 1, 1, 1});
  graph.parameter("b.weight").value.mutable_grad() =
      at::tensor({1.f, -9.f, 2.f, 3.f, 0.f, 0.f, 99.f, 0.f}).view({2, 4});
  pruner->observe(graph);
  pruner->set_masks(graph, {.index = 1, .count = 10});  // round(0.5 / 2 * (1 + cos(pi * 0.1 / 0.75)) * 4) = 2
  REQUIRE(mask_of(graph, "b.weight") == std::vector<int>{0, 1, 0, 1, 0, 0, 1, 1});
  pruner->set_masks(graph, {.index = 8, .count = 10});
  REQUIRE(mask_of(graph, "b.weight") == std::vector<int>{0, 1, 0, 1, 0, 0, 1, 1});
}

TEST_CASE("RigL: the number of weights is the same after every exchange, and a resumed run exchanges the same",
          "[prune]") {
  auto graph = two_layers(), other = two_layers();
  const std::string arguments = "{level: 0.6, fraction: 0.7, stop: 1}";
  const auto pruner = bound_pruner(graph, "RigLPruner", arguments);
  const auto step = [](Graph& network, Pruner& own, int64_t epoch) {
    own.set_masks(network, {.index = epoch, .count = 8, .epoch = epoch, .seed = 1});
    apply_all(network);
    for (const auto& name : own.parameters()) {
      auto& value = network.parameter(name).value;
      value.mutable_grad() =
          at::arange(value.numel()).mul(0.9 * static_cast<double>(epoch + 1)).sin().view(value.sizes());
    }
    own.observe(network);
  };
  for (int64_t epoch = 0; epoch < 4; ++epoch) step(graph, *pruner, epoch);
  const auto resumed = bound_pruner(other, "RigLPruner", arguments);
  resumed->load(pruner->save());
  for (const auto& name : pruner->parameters()) {
    other.assign(name, graph.parameter(name).value.detach().clone());
    other.parameter(name).mask = graph.parameter(name).mask;
  }
  for (int64_t epoch = 4; epoch < 8; ++epoch) {
    step(graph, *pruner, epoch);
    step(other, *resumed, epoch);
    REQUIRE(stays(graph, "a.weight") + stays(graph, "b.weight") == 10);  // 24 - floor(0.6 * 24)
    REQUIRE(mask_of(graph, "a.weight") == mask_of(other, "a.weight"));
    REQUIRE(mask_of(graph, "b.weight") == mask_of(other, "b.weight"));
  }
}

TEST_CASE("RigL: what was masked before it began never grows", "[prune]") {
  auto graph = two_layers();
  set_mask(graph, "b.weight", at::tensor({0.f, 0.f, 1.f, 1.f, 1.f, 1.f, 1.f, 1.f}).view({2, 4}));
  const auto pruner =
      bound_pruner(graph, "RigLPruner", "{level: 0.5, distribution: uniform, fraction: 1, weights: [b.weight]}");
  pruner->set_masks(graph, {.index = 0, .count = 10, .seed = 1});
  graph.parameter("b.weight").value.mutable_grad() = at::tensor({9.f, 9.f, 1.f, 1.f, 1.f, 1.f, 1.f, 1.f}).view({2, 4});
  pruner->observe(graph);
  for (int64_t epoch = 1; epoch < 4; ++epoch) {
    pruner->set_masks(graph, {.index = epoch, .count = 10, .seed = 1});
    REQUIRE(stays(graph, "b.weight") == 4);
    REQUIRE(mask_of(graph, "b.weight")[0] + mask_of(graph, "b.weight")[1] == 0);
  }
}

TEST_CASE("sparse distribution: small layers keep more, the sum is exact", "[prune]") {
  const std::vector<Shape> shapes{{20, 1, 5, 5}, {50, 20, 5, 5}, {500, 800}, {10, 500}};
  const auto kept = distribute(shapes, 0.9, SparseDistribution::erk);
  const int64_t total = 500 + 25000 + 400000 + 5000;
  REQUIRE(std::accumulate(kept.begin(), kept.end(), int64_t{0}) == total - static_cast<int64_t>(0.9 * total));
  REQUIRE(kept[0] == 500);
  REQUIRE(static_cast<double>(kept[3]) / 5000 > static_cast<double>(kept[2]) / 400000);
  REQUIRE(distribute(shapes, 0.9, SparseDistribution::uniform) == std::vector<int64_t>{50, 2500, 40000, 500});
}
