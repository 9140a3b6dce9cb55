// Every network of the zoo, with random channels masked, computes the same after thinning.
#include "analysis/cost.h"
#include "passes/pass.h"
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
    test::random_masks(masked, test::MaskKind::channels, 1);
    Graph thinned = masked.clone();
    passes::run(*passes::passes().make("thin"), "thin", thinned);
    const at::Tensor x = test::random_input(masked, 2, 1);
    REQUIRE(test::relative_difference(test::output_of(thinned, x), test::output_of(masked, x)) <= 1e-5);
    REQUIRE(analysis::cost(thinned).macs < analysis::cost(masked).macs);
  }
}
