// Network slimming from end to end: channels are ranked by the scales of their batch-norm over the whole network, and
// what goes is removed for real.
#include "analysis/cost.h"
#include "passes/pass.h"
#include "support/random_graph.h"
#include "support/same_output.h"
#include "support/wear_in.h"
#include "unit/prune/support.h"
#include "zoo.h"

#include <catch2/catch.hpp>

using namespace compress;

TEST_CASE(
    "slimming: the smallest scales of all layers go until half of the MACs are left, and the output is the same") {
  Graph graph = models::build_model("resnet20_cifar", 1);
  test::wear_in(graph);
  const auto whole = analysis::cost(graph).macs;
  const auto pruner = prune::fixtures::bound_pruner(
      graph, "Pruner",
      "{criterion: batch_norm_scale, granularity: filter, amount: {class: global, of: macs, remove: 0.5}}");
  pruner->set_masks(graph, {});
  for (const Parameter& parameter : graph.parameters()) prune::apply_mask(graph, parameter);
  Graph thinned = graph.clone();
  passes::run(*passes::passes().make("thin"), "thin", thinned);
  const at::Tensor x = test::random_input(graph, 2, 1);
  REQUIRE(test::relative_difference(test::output_of(thinned, x), test::output_of(graph, x)) <= 1e-5);
  const auto left = static_cast<double>(analysis::cost(thinned).macs) / static_cast<double>(whole);
  REQUIRE(left <= 0.5);
  REQUIRE(left > 0.45);
}
