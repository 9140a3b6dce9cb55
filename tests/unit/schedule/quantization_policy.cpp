#include "unit/schedule/world.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;

namespace {

int64_t quantisers(const Graph& graph) {
  int64_t count = 0;
  for (const Node& node : graph.nodes()) count += node.op == "FakeQuantize";
  return count;
}

/// The linear layer of World with synthetic data of its shape.
struct QuantizationWorld : World {
  QuantizationWorld() {
    graph = parse_graph("graph g(input: float[N,1,28,28]) -> (output = fc)\nparameter fc.weight: float[10,784]\n"
                        "flat = Flatten(input)\nfc = Gemm(flat, %fc.weight) transB=1\n");
    data = data::open_splits({.name = "synthetic_mnist", .limits = {{"train", 64}}}, 1);
  }
};

}  // namespace

TEST_CASE("quantisation: a post-training quantiser without epochs acts when training has ended", "[schedule]") {
  QuantizationWorld world;
  const auto scheduler = bound("quantizers: {q: {class: PostTrainMinMaxQuantizer, calibration_samples: 32}}\n"
                               "policies: [{quantizer: {instance_name: q}}]\n",
                               world.graph);
  world.begin_epoch(*scheduler, 0);
  REQUIRE(quantisers(world.graph) == 0);
  scheduler->on_training_end(world.state);
  REQUIRE(quantisers(world.graph) >= 2);
}

TEST_CASE("quantisation: what the network cannot have is found when names are bound, unless its structure may change",
          "[schedule]") {
  QuantizationWorld world;
  const std::string quantizer = "quantizers: {q: {class: PostTrainQuantizer, group_size: 5}}\n";
  compress::test::require_error(
      [&] { bound(quantizer + "policies: [{quantizer: {instance_name: q}}]\n", world.graph); },
      "groups of 5 do not divide the 784 input channels", "quantising the weight of 'fc' in groups of 5");
  bound(quantizer + "passes: {p: {class: remove_identity}}\n"
                    "policies: [{pass: {instance_name: p}, epochs: [0]}, {quantizer: {instance_name: q}}]\n",
        world.graph);
}

TEST_CASE("quantisation: what a training quantiser cannot do is found before its first epoch", "[schedule]") {
  const auto quantised_later = [](const std::string& arguments, const Graph& graph) {
    bound("quantizers: {q: {class: QuantAwareTrainRangeLinearQuantizer, " + arguments +
              "}}\npolicies: [{quantizer: {instance_name: q}, starting_epoch: 30, ending_epoch: 40}]\n",
          graph);
  };
  QuantizationWorld world;
  compress::test::require_error([&] { quantised_later("bits_bias: 16", world.graph); },
                                "nothing of 'g' is quantised: every layer stays in floating point",
                                "give 'bits_weights' or 'bits_activations', here or in 'overrides'");
  const auto tied = parse_graph("graph g(input: float[N,4]) -> (b)\nparameter w: float[4,4]\n"
                                "a = Gemm(input, %w) transB=1\nb = Gemm(a, %w) transB=1\n");
  compress::test::require_error(
      [&] { quantised_later("bits_weights: 4, overrides: {b: {bits_weights: 8}}", tied); },
      "'a' and 'b' share the parameter 'w' and want different grids for it: 4 bits symmetric, and 8 bits symmetric");
  quantised_later("bits_weights: 4, bits_activations: 4", tied);
}

TEST_CASE("quantisation: a training quantiser acts once, at the beginning of its first epoch", "[schedule]") {
  QuantizationWorld world;
  const auto scheduler =
      bound("quantizers: {q: {class: QuantAwareTrainRangeLinearQuantizer, bits_activations: 8, bits_weights: 8}}\n"
            "policies: [{quantizer: {instance_name: q}, starting_epoch: 1, ending_epoch: 3}]\n",
            world.graph);
  world.begin_epoch(*scheduler, 0);
  REQUIRE(quantisers(world.graph) == 0);
  world.begin_epoch(*scheduler, 1);
  const auto there = quantisers(world.graph);
  REQUIRE(there > 0);
  world.begin_epoch(*scheduler, 2);
  scheduler->on_training_end(world.state);
  REQUIRE(quantisers(world.graph) == there);
}

TEST_CASE("quantisation: a recipe is refused when a bits schedule reaches behind its policy", "[schedule]") {
  compress::test::require_error(
      [] {
        recipe_of("quantizers: {q: {class: DorefaQuantizer, bits_weights: 4, bits_schedule: {1: 8, 9: 6}}}\n"
                  "policies: [{quantizer: {instance_name: q}, starting_epoch: 1, ending_epoch: 5}]\n");
      },
      "'bits_schedule' has epoch 9, but the last epoch of its policy is 4");
}
