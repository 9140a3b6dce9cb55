#include "prune/activation_criterion.h"

#include "support/check_error.h"
#include "unit/prune/data_driven.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

using namespace compress;
using namespace compress::prune;
using namespace compress::prune::fixtures;
using compress::test::require_error;

namespace {

/// Filters that pass on channel 0 (positive), channel 1 (negative), twice channel 0, nothing; `behind` follows.
Graph four_filters(const std::string& behind = "relu = Relu(bn)\n", const std::string& last = "relu") {
  auto graph = parse_graph("graph g(input: float[N,2,4,4]) -> (output = " + last +
                           ")\nparameter conv.weight: float[4,2,1,1]\nparameter bn.weight: float[4]\n"
                           "parameter bn.bias: float[4]\nparameter bn.running_mean: float[4] fixed\n"
                           "parameter bn.running_var: float[4] fixed\n"
                           "conv = Conv(input, %conv.weight) kernel_shape=[1,1]\n"
                           "bn = BatchNormalization(conv, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var) "
                           "epsilon=0.0\n" +
                           behind);
  graph.assign("conv.weight", at::tensor({1.f, 0.f, 0.f, 1.f, 2.f, 0.f, 0.f, 0.f}).view({4, 2, 1, 1}));
  for (const auto* name : {"bn.weight", "bn.running_var"}) graph.assign(name, at::tensor({1.f, 1.f, 1.f, 1.f}));
  for (const auto* name : {"bn.bias", "bn.running_mean"}) graph.assign(name, at::zeros({4}));
  return graph;
}

Numbers strengths_of(const std::string& name, Graph& graph, const std::string& arguments = "") {
  const auto criterion = part(criteria(), name, arguments);
  const auto granularity = part(analysis::granularities(), "filter");
  Problems problems;
  criterion->bind(graph, {"conv.weight"}, *granularity, problems);
  problems.raise();
  REQUIRE_FALSE(criterion->ready());
  Training training(graph, std::make_shared<NumberedImages>(3));
  criterion->collect(training.state);
  REQUIRE(criterion->ready());
  const Moment moment;
  const std::string weight = "conv.weight";
  return numbers(
      criterion->strengths({.graph = graph, .parameter = weight, .granularity = *granularity, .moment = moment}));
}

}  // namespace

TEST_CASE("apoz: the share of activations behind batch-norm and ReLU that are not zero", "[prune]") {
  auto graph = four_filters();
  const auto strengths = strengths_of("apoz", graph);
  REQUIRE(strengths[0] == 100);
  REQUIRE(strengths[1] == 0);
  REQUIRE(strengths[2] == 100);
}

TEST_CASE("apoz: a filter that was removed does not count as busy because of its batch-norm's beta", "[prune]") {
  auto graph = four_filters();
  graph.assign("bn.bias", at::tensor({0.f, 0.f, 0.f, 1.f}));
  const auto strengths = strengths_of("apoz", graph);
  REQUIRE(strengths[3] < strengths[1]);
}

TEST_CASE("mean_activation: filters of small mean are weak, not those of large mean", "[prune]") {
  auto graph = four_filters();
  const auto strengths = strengths_of("mean_activation", graph);
  REQUIRE(strengths[0] == 2);
  REQUIRE(strengths[1] == 0);
  REQUIRE(strengths[2] == 4);
}

TEST_CASE("activation criteria: as many training images as asked for, chosen by the seed", "[prune]") {
  auto graph = four_filters();
  const auto one = strengths_of("mean_activation", graph, "samples: 1");
  REQUIRE((one[0] == 1 || one[0] == 2 || one[0] == 3));
  REQUIRE(strengths_of("mean_activation", graph, "samples: 1") == one);
}

TEST_CASE("apoz: an activation function behind a residual addition and pooling is the layer's own", "[prune]") {
  auto graph = four_filters("sum = Add(bn, bn)\npool = MaxPool(sum) kernel_shape=[2,2]\nrelu = Relu(pool)\n");
  REQUIRE(strengths_of("apoz", graph)[0] == 100);
}

TEST_CASE("apoz: without zeros to count it says so", "[prune]") {
  for (const auto& [behind, what] :
       {std::pair("out = Sigmoid(bn)\n", "the activation function Sigmoid, which makes no "
                                         "zeros, is behind 'conv.weight'"),
        std::pair("out = GlobalAveragePool(bn)\n", "there is no activation function behind "
                                                   "'conv.weight'")}) {
    auto graph = four_filters(behind, "out");
    require_error([&] { strengths_of("apoz", graph); }, what, "mean_activation");
    REQUIRE(strengths_of("mean_activation", graph).size() == 4);
  }
}

TEST_CASE("activation criteria: only output channels have activations", "[prune]") {
  const auto graph = four_filters();
  for (const auto* structures : {"channel", "element"}) {
    Problems problems;
    part(criteria(), "apoz")->bind(graph, {"conv.weight"}, *part(analysis::granularities(), structures), problems);
    require_error([&] { problems.raise(); }, "output channels of 'conv.weight'", "granularity: filter");
  }
  Problems problems;
  part(criteria(), "apoz")->bind(graph, {"bn.weight"}, *part(analysis::granularities(), "filter"), problems);
  require_error([&] { problems.raise(); }, "no convolutional or linear layer reads 'bn.weight'");
}
