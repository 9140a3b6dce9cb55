#include "analysis/coupled_channels.h"
#include "support/check_error.h"
#include "unit/regularize/support.h"

#include <cmath>

using namespace compress;
using namespace compress::regularize;
using namespace compress::regularize::test;
using compress::test::require_error;

namespace {

/// The sum over the coupled channels of the residual network, written out: conv1 and conv2 make the same ones.
double coupled_norms(const Graph& graph, const std::function<double(double)>& factor) {
  const auto square = [&](const std::string& name, int64_t axis, int64_t channel) {
    const auto slice = graph.parameter(name).value.detach().select(axis, channel);
    return slice.mul(slice).sum().item<double>();
  };
  double sum = 0;
  for (int64_t c = 0; c < graph.parameter("conv1.weight").value.size(0); ++c) {
    double squares = square("conv1.weight", 0, c) + square("conv2.weight", 0, c) + square("conv2.weight", 1, c) +
                     square("fc.weight", 1, c);
    for (const char* name : {"norm1.scale", "norm1.shift", "norm2.scale", "norm2.shift"}) squares += square(name, 0, c);
    sum += std::sqrt(squares) * factor(2 * 9 + 2 * 4 * 9 + 3 + 4);
  }
  return sum;
}

double structured_loss(const Graph& graph, const std::string& arguments) {
  return loss_of(*bound_regularizer(graph, "StructuredSparsityRegularizer", arguments), graph);
}

}  // namespace

TEST_CASE("structured sparsity: the norm of a channel runs over every layer that the shortcut couples",
          "[regularize]") {
  const auto graph = residual();
  REQUIRE(structured_loss(graph, "strength: 0.1") == Approx(0.1 * coupled_norms(graph, [](double) { return 1.0; })));
  REQUIRE(structured_loss(graph, "{strength: 0.1, sqrt_size: true}") ==
          Approx(0.1 * coupled_norms(graph, [](double size) { return std::sqrt(size); })));
  REQUIRE(structured_loss(graph, "{strength: 0.1, weights: [conv2.weight]}") ==
          Approx(structured_loss(graph, "strength: 0.1")));
}

TEST_CASE("structured sparsity: a channel of zeros gives a finite gradient", "[regularize]") {
  auto graph = residual();
  for (Parameter& parameter : graph.parameters()) parameter.value.detach().zero_();
  const auto loss = bound_regularizer(graph, "StructuredSparsityRegularizer", "strength: 1")->loss(graph);
  loss.backward();
  REQUIRE(loss.item<double>() == Approx(0).margin(1e-12));
  REQUIRE(graph.parameter("conv2.weight").value.grad().eq(0).all().item<bool>());
}

TEST_CASE("structured sparsity: the groups are found again when the network has become smaller", "[regularize]") {
  const auto graph = residual(4), thinned = residual(3);
  const auto regularizer = bound_regularizer(graph, "StructuredSparsityRegularizer", "strength: 1");
  REQUIRE(loss_of(*regularizer, thinned) == Approx(coupled_norms(thinned, [](double) { return 1.0; })));
}

TEST_CASE("structured sparsity: channels that cannot be removed are refused by name with the reason", "[regularize]") {
  const auto graph = residual();
  require_error([&] { structured_loss(graph, "{strength: 1, weights: [fc.weight]}"); },
                "the channels of 'fc.weight' cannot be removed: ", "output");
  require_error([&] { structured_loss(graph, "{strength: 1, weights: ['fc.*']}"); },
                "'weights' means no channels that could be removed");
  require_error([&] { structured_loss(graph, "{strength: 1, weights: [conv3.weight]}"); },
                "'g' has no parameter 'conv3.weight'");
  require_error([&] { structured_loss(graph, "{strength: -1}"); }, "'strength' must be a number at least 0");
}
