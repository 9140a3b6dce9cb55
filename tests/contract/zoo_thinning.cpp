// Every network of the zoo, with random channels masked by coupled pruning, computes the same after thinning.
#include "analysis/cost.h"
#include "passes/pass.h"
#include "support/coupled_pruning.h"
#include "support/random_graph.h"
#include "support/same_output.h"
#include "support/small_zoo.h"
#include "zoo.h"

#include <catch2/catch.hpp>

using namespace compress;

TEST_CASE("every zoo network: thinned = masked, and smaller") {
  for (const auto& name : test::small_zoo()) {
    INFO(name);
    Graph masked = models::build_model(name, 1);
    const auto whole = analysis::cost(masked).macs;
    const auto measured = test::prune_by_lot(masked, 1, 0.6);
    REQUIRE(measured.macs < whole);
    Graph thinned = masked.clone();
    passes::run(*passes::passes().make("thin"), "thin", thinned);
    const at::Tensor x = test::random_input(masked, 2, 1);
    REQUIRE(test::relative_difference(test::output_of(thinned, x), test::output_of(masked, x)) <= 1e-5);
    REQUIRE(analysis::cost(thinned).macs == measured.macs);
  }
}
