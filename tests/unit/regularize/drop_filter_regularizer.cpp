#include "support/check_error.h"
#include "unit/regularize/support.h"

using namespace compress;
using namespace compress::regularize;
using namespace compress::regularize::test;

namespace {

std::unique_ptr<Regularizer> dropping(const Graph& graph, const std::string& more) {
  return bound_regularizer(graph, "DropFilterRegularizer", "{weights: ['conv*.weight'], " + more + "}");
}

/// The factor of each filter of conv1 in a mini-batch.
std::vector<double> factors_at(Regularizer& regularizer, const Graph& graph, int64_t step, uint64_t seed = 1) {
  regularizer.begin_minibatch(graph, {.step = step, .seed = seed});
  const auto flat = regularizer.forward_factors(graph).at("conv1.weight").flatten();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

}  // namespace

TEST_CASE("drop filter: each filter is left out or counts more, so that the mean stays", "[regularize]") {
  const auto graph = residual(64);
  const auto regularizer = dropping(graph, "p: 0.25");
  int64_t dropped = 0;
  constexpr int64_t kSteps = 40;
  for (int64_t step = 0; step < kSteps; ++step)
    for (const double factor : factors_at(*regularizer, graph, step)) {
      REQUIRE((factor == 0 || factor == Approx(1 / 0.75)));
      dropped += factor == 0;
    }
  REQUIRE(static_cast<double>(dropped) / (64 * kSteps) == Approx(0.25).margin(0.03));
  REQUIRE_FALSE(regularizer->loss(graph).defined());
}

TEST_CASE("drop filter: what is dropped depends on seed, mini-batch and weight alone", "[regularize]") {
  const auto graph = residual(64);
  const auto one = dropping(graph, "p: 0.5"), other = dropping(graph, "p: 0.5");
  const auto at_seven = factors_at(*one, graph, 7);
  REQUIRE(factors_at(*one, graph, 8) != at_seven);
  REQUIRE(factors_at(*other, graph, 7) == at_seven);
  REQUIRE(factors_at(*other, graph, 7, 2) != at_seven);
}

TEST_CASE("drop filter: only every n-th mini-batch, and never all filters", "[regularize]") {
  const auto graph = residual();
  const auto regularizer = dropping(graph, "p: 0.999, every: 3");
  for (int64_t step = 0; step < 9; ++step) {
    regularizer->begin_minibatch(graph, {.step = step, .seed = 1});
    const auto factors = regularizer->forward_factors(graph);
    REQUIRE(factors.size() == (step % 3 == 0 ? 2 : 0));
    for (const auto& [name, factor] : factors) REQUIRE(factor.gt(0).any().item<bool>());
  }
}

TEST_CASE("drop filter: weights without filters and p = 1 are refused", "[regularize]") {
  const auto graph = residual();
  using compress::test::require_error;
  require_error([&] { dropping(graph, "p: 1"); }, "'p' must be a number in [0, 1)");
  require_error([&] { bound_regularizer(graph, "DropFilterRegularizer", "weights: [norm1.scale]"); },
                "'norm1.scale' has no filters: its shape is 4");
  require_error([&] { bound_regularizer(graph, "DropFilterRegularizer", "weights: []"); }, "'weights' is empty");
}
