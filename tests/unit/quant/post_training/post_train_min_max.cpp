#include "ops/quantization_grid.h"
#include "support/check_error.h"
#include "support/quantization.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

#include <algorithm>

using namespace compress;
using namespace compress::test;

namespace {

const std::string kMinMax = "PostTrainMinMaxQuantizer";

ops::Grid grid_of(double low, double high, const ops::GridSpec& spec) {
  return ops::make_grid(at::tensor(low), at::tensor(high), spec);
}

constexpr ops::GridSpec kUnsigned{.is_signed = false, .symmetric = false};
constexpr ops::GridSpec kSigned{.is_signed = true, .symmetric = false};

void check_grid(const ops::Grid& grid, double distillers_scale, double distillers_zero_point) {
  REQUIRE(grid.scale.item<double>() == Approx(1 / distillers_scale));
  REQUIRE(grid.zero_point.item<double>() == -distillers_zero_point);
}

}  // namespace

TEST_CASE(
    "grid: scales and zero points are Distiller's (its scale is the reciprocal, its zero point has the other sign)") {
  const ops::GridSpec full{}, restricted{.narrow = true};
  check_grid(grid_of(-4, 3, full), 31.875, 0);
  check_grid(grid_of(-4, 3, restricted), 31.75, 0);
  check_grid(grid_of(-1, 10, full), 12.75, 0);
  check_grid(grid_of(-1, 10, restricted), 12.7, 0);
  check_grid(grid_of(0, 0, full), 1, 0);
  check_grid(grid_of(-2, 10, kUnsigned), 21.25, -42);
  check_grid(grid_of(-2, 10, kSigned), 21.25, 86);
  check_grid(grid_of(5, 10, kUnsigned), 25.5, 0);
  check_grid(grid_of(-10, -5, kUnsigned), 25.5, -255);
  check_grid(grid_of(0, 0, kUnsigned), 1, 0);
  const auto both = ops::make_grid(at::tensor({-10.0, -10.0}), at::tensor({-2.0, 5.0}), kUnsigned);
  REQUIRE(both.scale[0].item<double>() == Approx(1 / 25.5));
  REQUIRE(both.scale[1].item<double>() == Approx(1 / 17.0));
  REQUIRE(both.zero_point[0].item<double>() == 255);
  REQUIRE(both.zero_point[1].item<double>() == 170);
}

TEST_CASE("post-training quantiser: scales follow the least and the greatest value seen") {
  auto graph = filled_graph(kSkip);
  auto x = random_tensor({4, 3, 8, 8}, 9).clamp(-1.5, 1.5);
  x.view({-1})[3] = -2;
  x.view({-1})[4] = 3.1;
  quantize(graph, kMinMax, "{}", calibration_of({x}));
  REQUIRE(graph.parameter("input.quantizer.scale").value.item<float>() == Approx(5.1 / 255));
  REQUIRE(graph.parameter("input.quantizer.zero_point").value.item<float>() == 100);
  const auto reach = graph.parameter("d.weight").value.abs().amax({1, 2, 3}) / 127;
  REQUIRE(graph.parameter("d.weight.quantizer.scale").value.allclose(reach));
  REQUIRE_FALSE(graph.parameter("input.quantizer.scale").trainable);
}

TEST_CASE("post-training quantiser: 8 bits stay near the floating-point network, fewer bits are farther") {
  const auto x = random_tensor({8, 3, 8, 8}, 9);
  const auto original = filled_graph(kResidual);
  const auto expected = evaluated(original, x);
  const auto error = [&](const std::string& yaml) {
    auto graph = original.clone();
    quantize(graph, kMinMax, yaml, calibration_of({x}));
    return ((evaluated(graph, x) - expected).norm() / expected.norm()).item<double>();
  };
  const auto eight = error("{}"), four = error("{bits_activations: 4, bits_weights: 4}");
  REQUIRE(eight < 0.02);
  REQUIRE(four > 4 * eight);
  REQUIRE(error("{bits_activations: null, bits_weights: null}") < 1e-5);
  REQUIRE(evaluated(original, x).equal(expected));  // the clone's folding left the original alone
}

TEST_CASE("post-training quantiser: weights only needs no calibration") {
  auto graph = filled_graph(kResidual);
  const auto changes = quantize(graph, kMinMax, "{bits_activations: null}");
  REQUIRE(graph.find_node("input.quantizer") == nullptr);
  REQUIRE(graph.find_node("conv1.weight.quantizer") != nullptr);
  REQUIRE(std::ranges::count(changes.added, "conv1.weight.quantizer.scale") == 1);
  REQUIRE(std::ranges::count(changes.removed, "bn1.running_var") == 1);
}

TEST_CASE("post-training quantiser: wrong arguments are found before work starts") {
  require_error([] { make_quantizer(kMinMax, "{bits_weights: 20}"); }, "'bits_weights' is 20");
  require_error([] { make_quantizer(kMinMax, "{bits_weights: 1}"); }, "bits_weights", "recipe.yaml:1:16");
  require_error([] { make_quantizer(kMinMax, "{activations: unsigned}"); }, "activations", "asymmetric_unsigned");
  require_error([] { make_quantizer(kMinMax, "{overrides: {fc: {bits_bias: 8}}}"); }, "bits_bias");
  require_error([] { quant::quantizers().make("PostTrainMinMaxQuantiser"); },
                "unknown quantizer 'PostTrainMinMaxQuantiser'", "PostTrainMinMaxQuantizer");
}
