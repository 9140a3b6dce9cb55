#include "support/check_error.h"
#include "unit/regularize/support.h"

using namespace compress;
using namespace compress::regularize;
using namespace compress::regularize::test;
using compress::test::require_error;

namespace {

using Names = std::vector<std::string>;

Names slimmed(const Graph& graph, const std::string& arguments) {
  return bound_regularizer(graph, "BatchNormScaleRegularizer", arguments)->parameters();
}

}  // namespace

TEST_CASE("batch-norm scales: they are found by the graph, whatever their names", "[regularize]") {
  const auto graph = residual();
  REQUIRE(slimmed(graph, "strength: 0.1") == Names{"norm1.scale", "norm2.scale"});
  REQUIRE(slimmed(graph, "{strength: 0.1, weights: ['norm2*']}") == Names{"norm2.scale"});
  const auto expected =
      graph.parameter("norm1.scale").value.abs().sum().add(graph.parameter("norm2.scale").value.abs().sum());
  REQUIRE(loss_of(*bound_regularizer(graph, "BatchNormScaleRegularizer", "strength: 0.1"), graph) ==
          Approx(0.1 * expected.item<double>()));
}

TEST_CASE("batch-norm scales: other parameters and networks without batch-norm are refused", "[regularize]") {
  const auto graph = residual();
  require_error([&] { slimmed(graph, "{strength: 1, weights: [norm1.shift]}"); },
                "'norm1.shift' is no scale of a batch-norm of 'g'");
  require_error([&] { slimmed(graph, "{strength: 1, weights: [norm1.scal]}"); }, "'g' has no parameter 'norm1.scal'",
                "did you mean 'norm1.scale'?");
  require_error([&] { slimmed(one_matrix(), "strength: 1"); }, "'g' has no batch-norm with a trained scale");
  require_error([&] { slimmed(graph, "{}"); }, "missing 'strength' in BatchNormScaleRegularizer");
}
