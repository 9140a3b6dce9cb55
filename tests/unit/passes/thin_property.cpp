// The law of thinning on random networks: what is left computes what the masked network computed.
#include "ops/op.h"
#include "passes/pass.h"
#include "support/random_graph.h"
#include "support/same_output.h"

#include <ATen/Parallel.h>

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::MaskKind;

namespace {

constexpr double kTolerance = 1e-5;  // relative to max(1, max|y|): float32 sums in another order

int64_t size_of(const Graph& graph) {
  int64_t elements = 0;
  for (const Parameter& parameter : graph.parameters()) elements += parameter.value.numel();
  return elements;
}

/// How many of `count` networks became smaller.
int thin_random_graphs(MaskKind kind, uint64_t first, int count) {
  at::set_num_threads(1);  // the networks are too small for more
  const auto thin = passes::passes().make("thin");
  int smaller = 0;
  for (uint64_t seed = first; seed < first + static_cast<uint64_t>(count); ++seed) {
    INFO("seed " << seed);
    Graph masked = test::random_graph(seed);
    test::random_masks(masked, kind, seed);
    const at::Tensor x = test::random_input(masked, 3, seed);
    Graph thinned = masked.clone();
    thin->run(thinned);
    ops::verify(thinned);
    REQUIRE(test::relative_difference(test::output_of(thinned, x), test::output_of(masked, x)) <= kTolerance);
    smaller += size_of(thinned) < size_of(masked);
  }
  return smaller;
}

}  // namespace

TEST_CASE("thin: 100 random networks with masked channels compute the same and most are smaller") {
  REQUIRE(thin_random_graphs(MaskKind::channels, 1, 100) >= 80);
}

TEST_CASE("thin: 100 random networks with single masked filters compute the same") {
  REQUIRE(thin_random_graphs(MaskKind::filters, 1001, 100) >= 20);
}
