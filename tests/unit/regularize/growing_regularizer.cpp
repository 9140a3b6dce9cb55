#include "support/check_error.h"
#include "support/close.h"
#include "unit/regularize/support.h"

using namespace compress;
using namespace compress::regularize;
using namespace compress::regularize::test;
using compress::test::require_error;

namespace {

std::unique_ptr<Regularizer> growing(const Graph& graph, const std::string& more) {
  return bound_regularizer(graph, "GrowingRegularizer", "{weights: [fc.weight], " + more + "}");
}

Graph four_rows() {
  auto graph = one_matrix();
  graph.assign("fc.weight", compress::test::numbers({3, 4, 1, 1, 2, 0, 9, 9}).view({4, 2}).set_requires_grad(true));
  return graph;
}

}  // namespace

TEST_CASE("growing: lambda grows every few mini-batches up to the ceiling", "[regularize]") {
  const auto graph = one_matrix();
  const auto regularizer = growing(graph, "share: 1, start: 0.5, step: 1, every: 2, ceiling: 2");
  std::vector<double> losses;
  for (int64_t step = 0; step < 8; ++step) {
    regularizer->begin_minibatch(graph, {.step = 100 + step});
    losses.push_back(loss_of(*regularizer, graph) / 12.5);
  }
  REQUIRE(losses == std::vector<double>{0.5, 0.5, 1.5, 1.5, 2, 2, 2, 2});
}

TEST_CASE("growing: only the weakest groups fade, as they were at the first mini-batch", "[regularize]") {
  auto graph = four_rows();
  const auto regularizer = growing(graph, "group: row, share: 0.5, start: 2, ceiling: 2");
  regularizer->begin_minibatch(graph, {});
  REQUIRE(loss_of(*regularizer, graph) == Approx(1 + 1 + 4));
  graph.writable("fc.weight").detach()[3].zero_();  // another row is the weakest now
  regularizer->begin_minibatch(graph, {});
  REQUIRE(loss_of(*regularizer, graph) == Approx(1 + 1 + 4));
}

TEST_CASE("growing: what was chosen follows slices and renames", "[regularize]") {
  auto graph = four_rows();
  const auto regularizer = growing(graph, "share: 0.5, start: 2, ceiling: 2");
  regularizer->begin_minibatch(graph, {});
  Changes changes;
  changes.sliced = {{.parameter = "fc.weight", .axis = 0, .kept = {0, 2, 3}}};
  regularizer->apply(changes);
  graph.assign("fc.weight", compress::test::numbers({3, 4, 2, 0, 9, 9}).view({3, 2}));
  REQUIRE(loss_of(*regularizer, graph) == Approx(4));
}

TEST_CASE("growing: contradicting arguments are refused", "[regularize]") {
  const auto graph = one_matrix();
  require_error([&] { growing(graph, "start: 2, ceiling: 1"); }, "'start' (2) is above 'ceiling' (1)");
  require_error([&] { growing(graph, "group: Rows+Cols"); }, "'group' must be of one kind");
  require_error([&] { growing(graph, "share: 0"); }, "'share' must be", "(0, 1]");
  require_error([&] { growing(graph, "group: kernel"); }, "'fc.weight' has no kernels");
  require_error([&] { growing(graph, "group: rwo"); }, "unknown group 'rwo' in 'group'", "did you mean 'row'?");
  require_error([&] { bound_regularizer(graph, "GrowingRegularizer", "weights: []"); }, "'weights' is empty");
  require_error([&] { bound_regularizer(graph, "GrowingRegularizer", "weights: [fd.weight]"); },
                "'g' has no parameter 'fd.weight'", "did you mean 'fc.weight'?");
}
