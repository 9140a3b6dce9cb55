#include "support/check_error.h"
#include "support/close.h"
#include "unit/regularize/support.h"

using namespace compress;
using namespace compress::regularize;
using namespace compress::regularize::test;

TEST_CASE("L2: half the sum of squares, so that the gradient is that of weight decay", "[regularize]") {
  const auto graph = one_matrix();
  const auto loss = bound_regularizer(graph, "L2Regularizer", "reg_regims: {fc.weight: 0.1}")->loss(graph);
  REQUIRE(loss.item<double>() == Approx(0.1 * 12.5));
  loss.backward();
  const auto& weight = graph.parameter("fc.weight").value;
  compress::test::require_close(weight.grad(), weight.detach().mul(0.1), 1e-15);
}

TEST_CASE("L2: unknown names are refused with the nearest", "[regularize]") {
  const auto graph = one_matrix();
  compress::test::require_error([&] { bound_regularizer(graph, "L2Regularizer", "reg_regims: {fc.wieght: 1}"); },
                                "'g' has no parameter 'fc.wieght'", "did you mean 'fc.weight'?");
}
