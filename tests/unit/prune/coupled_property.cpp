// The law of coupled pruning on random networks: thinning removes exactly what was masked, and the output is the same.
#include "analysis/cost.h"
#include "passes/pass.h"
#include "support/coupled_pruning.h"
#include "support/random_graph.h"
#include "support/same_output.h"

#include <ATen/Parallel.h>

#include <catch2/catch.hpp>

#include <algorithm>

using namespace compress;

namespace {

/// What it makes of zero stays in front of a padded convolution.
bool has_sigmoid(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(), [](const Node& node) { return node.op == "Sigmoid"; });
}

}  // namespace

TEST_CASE("coupled: 200 random networks compute the same when what coupled pruning masked is removed") {
  at::set_num_threads(1);  // the networks are too small for more
  const auto thin = passes::passes().make("thin");
  int smaller = 0;
  for (uint64_t seed = 7001; seed <= 7200; ++seed) {
    INFO("seed " << seed);
    Graph masked = test::random_graph(seed);
    const auto whole = analysis::cost(masked).macs;
    const auto measured = test::prune_by_lot(masked, seed, 0.7);
    const at::Tensor x = test::random_input(masked, 3, seed);
    Graph thinned = masked.clone();
    thin->run(thinned);
    REQUIRE(test::relative_difference(test::output_of(thinned, x), test::output_of(masked, x)) <= 1e-5);
    const auto macs = analysis::cost(thinned).macs;
    smaller += macs < whole;
    REQUIRE((macs <= static_cast<int64_t>(measured.macs) || has_sigmoid(masked)));
  }
  REQUIRE(smaller >= 190);
}
