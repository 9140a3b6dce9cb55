#include "quant/export/absorb_batch_normalization.h"

#include "ops/op.h"
#include "ops/quantization_grid.h"
#include "support/close.h"
#include "support/quantization.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

/// A convolution with a fixed grid on its weight, and batch-norm; two of its gammas are negative, one is 0.
Graph normalized(const std::string& attributes, double scale, double zero_point, const std::string& bias = "") {
  auto graph = filled_graph("graph g(x: float[N,3,8,8]) -> (y = bn)\nparameter w: float[4,3,3,3]\n" +
                            std::string(bias.empty() ? "" : "parameter b: float[4]\n") + R"(parameter s: float[] fixed
parameter z: float[] fixed
parameter gamma: float[4]
parameter beta: float[4]
parameter mean: float[4] fixed
parameter running_var: float[4] fixed
q = FakeQuantize(%w, %s, %z) )" +
                            attributes + "\nc = Conv(x, q" + bias +
                            R"() kernel_shape=[3,3] pads=[1,1,1,1]
bn = BatchNormalization(c, %gamma, %beta, %mean, %running_var)
)");
  graph.assign("s", at::full({}, scale));
  graph.assign("z", at::full({}, zero_point));
  graph.assign("gamma", at::tensor({1.5F, -0.7F, 0.0F, -2.0F}));
  return graph;
}

void require_absorbed(Graph graph) {
  const auto x = random_tensor({2, 3, 8, 8}, 3);
  const auto expected = evaluated(graph, x);
  REQUIRE_FALSE(quant::absorb_batch_normalization(graph).empty());
  ops::verify(graph);
  REQUIRE(graph.find_node("bn") == nullptr);
  require_close(evaluated(graph, x), expected, 1e-4);
  // Every weight is an integer of its grid.
  const auto& quantizer = graph.node("q");
  const ops::Grid grid{graph.parameter("s").value, graph.parameter("z").value};
  const auto axes = ops::grid_axes(quantizer);
  const auto w = graph.parameter("w").value;
  const auto codes = ops::quantized(w, grid, ops::grid_spec(quantizer), axes);
  require_close((codes - ops::along_axes(grid.zero_point, axes, w)) * ops::along_axes(grid.scale, axes, w), w, 1e-6);
}

}  // namespace

TEST_CASE("absorbing batch-norm: the layer computes the same from the same integers, whatever gamma's sign") {
  require_absorbed(normalized("bits=4 narrow_range=1", 0.1, 0));
  require_absorbed(normalized("bits=4", 0.1, 0));  // some are the lowest integer, which has no mirror image
  require_absorbed(normalized("bits=4 signed=0 symmetric=0", 0.1, 6));
  require_absorbed(normalized("bits=8", 0.02, 0, ", %b"));
}

TEST_CASE("absorbing batch-norm: it stays where scales must not change or others read the weight") {
  const auto stays = [](Graph graph) {
    quant::absorb_batch_normalization(graph);
    return graph.find_node("bn") != nullptr;
  };
  REQUIRE(stays(normalized("bits=4 scale_rule=\"power_of_two\"", 0.125, 0)));
  REQUIRE(stays(normalized("bits=8 format=\"float8_e4m3\"", 0.125, 0)));
  auto seen = normalized("bits=4", 0.1, 0);
  seen.outputs.push_back({"c", "c"});
  REQUIRE(stays(std::move(seen)));
  auto training = normalized("bits=4", 0.1, 0);
  training.node("q").attributes.set("method", std::string("minmax"));
  REQUIRE(stays(std::move(training)));
}
