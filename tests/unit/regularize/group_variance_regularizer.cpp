#include "support/check_error.h"
#include "unit/regularize/support.h"

using namespace compress;
using namespace compress::regularize;
using namespace compress::regularize::test;

TEST_CASE("group variance: the loss is the strength divided by the sample variance of the groups' norms",
          "[regularize]") {
  const auto graph = one_matrix();
  const auto loss = [&](const std::string& arguments) {
    return loss_of(*bound_regularizer(graph, "GroupVarianceRegularizer", arguments), graph);
  };
  REQUIRE(loss("reg_regims: {fc.weight: [0.1, Rows]}") == Approx(0.1 / 12.5));
  REQUIRE(loss("reg_regims: {fc.weight: [0.1, Channels]}") == Approx(0.1 / 0.5));
}

TEST_CASE("group variance: groups of equal norm give a finite loss and gradient", "[regularize]") {
  auto graph = one_matrix();
  graph.assign("fc.weight", compress::test::numbers({1, 1, 1, 1}).view({2, 2}).set_requires_grad(true));
  const auto loss =
      bound_regularizer(graph, "GroupVarianceRegularizer", "reg_regims: {fc.weight: [1, Rows]}")->loss(graph);
  loss.backward();
  REQUIRE(std::isfinite(loss.item<double>()));
  REQUIRE(graph.parameter("fc.weight").value.grad().isfinite().all().item<bool>());
}

TEST_CASE("group variance: one group has no variance", "[regularize]") {
  const auto graph = one_matrix();
  compress::test::require_error(
      [&] { bound_regularizer(graph, "GroupVarianceRegularizer", "reg_regims: {fc.weight: [1, 4D]}"); },
      "'fc.weight' is one group, and one group has no variance");
}
