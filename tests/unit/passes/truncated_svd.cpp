#include "analysis/cost.h"
#include "core/yaml.h"
#include "graph/text_form.h"
#include "io/onnx.h"
#include "ops/op.h"
#include "passes/pass.h"
#include "support/captured_stderr.h"
#include "support/check_error.h"
#include "support/random_graph.h"
#include "support/same_output.h"

#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/ones.h>

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::output_of;
using compress::test::relative_difference;
using compress::test::require_error;

namespace {

Changes split_layers(Graph& graph, const std::string& arguments) {
  const auto pass = passes::passes().make("truncated_svd");
  Settings settings;
  pass->declare(settings);
  settings.read(parse_yaml(arguments, "test.yaml"), "truncated_svd");
  Problems problems;
  pass->bind(graph, {}, problems);
  problems.raise();
  return passes::run(*pass, "truncated_svd", graph);
}

/// Convolutions with strides, dilations, odd kernels and uneven pads, then linear layers of both forms.
Graph mixed() {
  auto graph = parse_graph(R"(graph mixed(x: float[N,6,13,11]) -> (out)
parameter c1.weight: float[16,6,3,5]
parameter c1.bias: float[16]
parameter c2.weight: float[24,16,3,3]
parameter c3.weight: float[20,24,1,1]
parameter fc1.weight: float[30,20]
parameter fc1.bias: float[30]
parameter fc2.weight: float[30,25]
parameter m.weight: float[25,18]
c1 = Conv(x, %c1.weight, %c1.bias) kernel_shape=[3,5] strides=[2,1] pads=[1,2,0,1]
r1 = Relu(c1)
c2 = Conv(r1, %c2.weight) kernel_shape=[3,3] dilations=[1,2] pads=[1,1,1,1]
r2 = Relu(c2)
c3 = Conv(r2, %c3.weight) kernel_shape=[1,1]
pool = GlobalAveragePool(c3)
flat = Flatten(pool)
fc1 = Gemm(flat, %fc1.weight, %fc1.bias) transB=1 alpha=0.5
fc2 = Gemm(fc1, %fc2.weight)
out = MatMul(fc2, %m.weight)
)");
  uint64_t seed = 0;
  for (const auto& name : graph.parameter_names()) {
    Graph filler;
    filler.inputs.push_back({"", graph.parameter(name).value.sizes().vec()});
    graph.assign(name, test::random_input(filler, 1, ++seed).mul(0.2));
  }
  return graph;
}

/// Replaces the weight of every layer by one of low rank, so that full rank costs less than the layer.
void make_low_rank(Graph& graph, int64_t rank) {
  for (const auto& name : graph.parameter_names()) {
    const auto& value = graph.parameter(name).value;
    if (value.dim() < 2) continue;
    const auto [u, s, v] = at::linalg_svd(value.flatten(1), false);
    graph.assign(name, u.narrow(1, 0, rank).mul(s.narrow(0, 0, rank)).matmul(v.narrow(0, 0, rank)).view(value.sizes()));
  }
}

}  // namespace

TEST_CASE("truncated svd: at the rank that a weight has the output is the same, on every form of a layer") {
  for (const auto& [convolution, tolerance] : {std::pair("channel", 1e-5), {"auto", 1e-3}}) {
    auto whole = mixed();
    make_low_rank(whole, 2);
    auto split = whole.clone();
    const auto changes = split_layers(split, std::string("{energy: 0.9999999, convolution: ") + convolution + "}");
    REQUIRE(changes.added.size() == 12);
    const auto x = test::random_input(whole, 3, 5);
    REQUIRE(relative_difference(output_of(split, x), output_of(whole, x)) < tolerance);
    REQUIRE(analysis::cost(split).macs < analysis::cost(whole).macs);
  }
}

TEST_CASE("truncated svd: the spatial form of a separable kernel is exact") {
  auto whole =
      parse_graph("graph g(x: float[N,4,9,9]) -> (c)\nparameter c.weight: float[8,4,5,3]\n"
                  "parameter c.bias: float[8]\nc = Conv(x, %c.weight, %c.bias) kernel_shape=[5,3] strides=[2,1] "
                  "pads=[2,0,1,1] dilations=[1,2]\n");
  const auto left = test::random_input(whole, 6, 1).flatten().narrow(0, 0, 24).view({24, 1});
  const auto right = test::random_input(whole, 6, 2).flatten().narrow(0, 0, 20).view({1, 20});
  whole.assign("c.weight", left.matmul(right).view({8, 3, 4, 5}).permute({0, 2, 3, 1}).contiguous());
  whole.assign("c.bias", at::ones({8}));
  auto split = whole.clone();
  split_layers(split, "{rank: 1, convolution: spatial}");
  const auto x = test::random_input(whole, 2, 3);
  REQUIRE(relative_difference(output_of(split, x), output_of(whole, x)) < 1e-5);
  REQUIRE(split.parameter("c.low_rank.weight").value.sizes() == at::IntArrayRef({1, 4, 5, 1}));
  REQUIRE(split.parameter("c.weight").value.sizes() == at::IntArrayRef({8, 1, 1, 3}));
}

TEST_CASE("truncated svd: the error of a layer is bounded by the energy it drops") {
  const auto whole = parse_graph("graph g(x: float[N,40]) -> (fc)\nparameter fc.weight: float[50,40]\n"
                                 "fc = Gemm(x, %fc.weight) transB=1\n");
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    auto graph = whole.clone();
    Graph filler;
    filler.inputs.push_back({"", {50, 40}});
    graph.assign("fc.weight", test::random_input(filler, 1, seed));
    const auto weight = graph.parameter("fc.weight").value;
    auto split = graph.clone();
    split_layers(split, "{energy: 0.6}");
    const auto product = split.parameter("fc.weight").value.matmul(split.parameter("fc.low_rank.weight").value);
    const double all = weight.square().sum().item<double>();
    const double dropped = (weight - product).square().sum().item<double>();
    REQUIRE(dropped <= 0.4 * all * (1 + 1e-5));
    const auto x = test::random_input(graph, 4, seed);
    const auto error = (output_of(split, x) - output_of(graph, x)).square().sum(1);
    REQUIRE(error.le(x.square().sum(1).mul(dropped * 1.0001)).all().item<bool>());
    // One rank less would drop more than it may.
    const auto rank = split.parameter("fc.low_rank.weight").value.size(0);
    auto lower = graph.clone();
    split_layers(lower, "{rank: " + std::to_string(rank - 1) + "}");
    const auto less = lower.parameter("fc.weight").value.matmul(lower.parameter("fc.low_rank.weight").value);
    REQUIRE((weight - less).square().sum().item<double>() > 0.4 * all);
  }
}

TEST_CASE("truncated svd: what is announced is what is saved, and dear layers are skipped with the reason") {
  auto graph = mixed();
  const auto before = analysis::cost(graph).macs;
  const auto text = test::captured_stderr([&] { split_layers(graph, "{layers: [fc1, fc2], rank: 12}"); });
  // fc1: 12 * (20 + 30) is as dear as 20 * 30; fc2: 12 * (30 + 25) < 30 * 25.
  REQUIRE(text.find("skipped: fc1 (rank 12 of 20 would cost 600 MACs instead of 600)") != std::string::npos);
  REQUIRE(text.find("fc2: rank 12 of 25") != std::string::npos);
  REQUIRE(text.find("750 -> 660 MACs") != std::string::npos);
  REQUIRE(before - analysis::cost(graph).macs == 90);
}

TEST_CASE("truncated svd: names stay, and what became of the parameters is told") {
  auto graph = mixed();
  const auto changes = split_layers(graph, "{layers: [fc2], rank: 4}");
  REQUIRE(changes.removed == std::vector<std::string>{"fc2.weight"});
  REQUIRE(changes.added == std::vector<std::string>{"fc2.low_rank.weight", "fc2.weight"});
  REQUIRE(graph.node("fc2").inputs[0] == "fc2.low_rank");
  REQUIRE(graph.node("out").inputs[0] == "fc2");
  REQUIRE(graph.parameter("fc2.low_rank.weight").trainable);
  const auto again = io::import_onnx_bytes(io::export_onnx_bytes(graph), "again");
  const auto x = test::random_input(graph, 2, 4);
  REQUIRE(relative_difference(output_of(again, x), output_of(graph, x)) < 1e-5);
  REQUIRE(again.find_node("fc2.low_rank") != nullptr);
}

TEST_CASE("truncated svd: random networks compute nearly the same at nearly full energy and do not get dearer") {
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    INFO("seed " << seed);
    const auto whole = test::random_graph(seed);
    auto split = whole.clone();
    split_layers(split, "{energy: 0.9}");
    ops::verify(split);
    REQUIRE(analysis::cost(split).macs <= analysis::cost(whole).macs);
    const auto x = test::random_input(whole, 2, seed);
    REQUIRE(output_of(split, x).sizes() == output_of(whole, x).sizes());
  }
}

TEST_CASE("truncated svd: masked weights count as zero, and the factors are dense") {
  auto graph = mixed();
  auto mask = at::ones({30, 25});
  mask.narrow(0, 5, 25).zero_();
  graph.parameter("fc2.weight").mask = mask;
  auto masked = graph.clone();
  masked.writable("fc2.weight").mul_(mask);
  split_layers(graph, "{layers: [fc2], energy: 0.99999}");
  REQUIRE(graph.parameter("fc2.low_rank.weight").value.size(1) <= 5);
  REQUIRE_FALSE(graph.parameter("fc2.weight").mask.defined());
  const auto x = test::random_input(graph, 2, 6);
  REQUIRE(relative_difference(output_of(graph, x), output_of(masked, x)) < 1e-2);
}

TEST_CASE("truncated svd: what cannot be is refused") {
  auto graph = mixed();
  require_error([&] { split_layers(graph, "{energy: 0.9, rank: 3}"); },
                "'energy' and 'rank' both decide the rank: give one of energy, ratio and rank");
  require_error([&] { split_layers(graph, "{layers: [fc3]}"); },
                "'fc3' matches no linear or convolutional node of 'mixed'", "did you mean 'c3'?");
  require_error([&] { split_layers(graph, "{energy: 0}"); }, "'energy' must be a number");
  require_error([&] { split_layers(graph, "{rank: 0}"); }, "'rank' must be");
}
