#include "quant/training/quantizer_bits.h"

#include "ops/quantization_grid.h"
#include "support/close.h"
#include "support/quantization.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones_like.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace compress;
using namespace compress::quant;
using namespace compress::test;

namespace {

Graph with_bits(const std::string& mode, const std::string& more = "") {
  auto graph = filled_graph(kResidual);
  quantize(graph, "QuantAwareTrainRangeLinearQuantizer",
           "{bits_activations: 4, bits_weights: 3, bits_bias: 16, mode: " + mode + more + "}");
  return graph;
}

const AdjustableGrid& weight_grid(const std::vector<AdjustableGrid>& grids) {
  return *std::ranges::find(grids, std::string("fc.weight.quantizer.scale"), &AdjustableGrid::scale);
}

}  // namespace

TEST_CASE("quantiser bits: weights and values are listed, biases are not", "[quant]") {
  const auto graph = with_bits("SYMMETRIC");
  int64_t weights = 0;
  for (const auto& grid : adjustable_grids(graph)) {
    INFO(grid.scale);
    REQUIRE(grid.bits == (grid.of_weight ? 3 : 4));
    REQUIRE(grid.scale.find("bias") == std::string::npos);
    weights += grid.of_weight;
  }
  REQUIRE(weights == 3);
  REQUIRE(graph.find_node("fc.bias.quantizer") != nullptr);
}

TEST_CASE("quantiser bits: other bits keep the range", "[quant]") {
  const std::string mode = GENERATE("SYMMETRIC", "SYMMETRIC_RESTRICTED", "ASYMMETRIC_UNSIGNED", "ASYMMETRIC_SIGNED");
  INFO(mode);
  auto graph = with_bits(mode);
  const auto& weight = graph.parameter("fc.weight").value;
  set_bits(graph, weight_grid(adjustable_grids(graph)), 6);
  const auto& node = graph.node("fc.weight.quantizer");
  REQUIRE(node.attributes.integer("bits", 0) == 6);
  const auto range = ops::value_range(weight, {});
  const auto expected = ops::make_grid(range.min, range.max, ops::grid_spec(node));
  // the end that a zero point was rounded to may be one old step away
  const double step = mode.starts_with("ASYMMETRIC") ? 0.35 : 1e-6;
  const auto scale = graph.parameter(node.inputs[1]).value;
  require_close(scale / expected.scale, at::ones_like(scale), step);
}

TEST_CASE("quantiser bits: a floor holds bits up and lets them down to their own", "[quant]") {
  auto graph = with_bits("SYMMETRIC");
  BitFloor floor;
  REQUIRE_FALSE(floor.noted());
  floor.note(graph);
  REQUIRE_FALSE(floor.holds(graph));
  REQUIRE(floor.set(graph, 8, 4).size() == 3);
  REQUIRE(floor.holds(graph));
  for (const auto& grid : adjustable_grids(graph)) REQUIRE(grid.bits == (grid.of_weight ? 8 : 4));
  BitFloor again;
  again.load(nlohmann::json::parse(floor.save().dump()));
  again.set(graph, 2, 2);
  for (const auto& grid : adjustable_grids(graph)) REQUIRE(grid.bits == (grid.of_weight ? 3 : 4));
}

TEST_CASE("quantiser bits: a weight's range can be taken anew", "[quant]") {
  auto graph = with_bits("SYMMETRIC");
  const auto before = graph.parameter("fc.weight.quantizer.scale").value.clone();
  graph.writable("fc.weight").mul_(2);
  restart_weight_grid(graph, weight_grid(adjustable_grids(graph)));
  require_close(graph.parameter("fc.weight.quantizer.scale").value, before * 2, 1e-7);
}
