#include "core/text.h"
#include "core/yaml.h"
#include "graph/text_form.h"
#include "passes/pass.h"
#include "support/check_error.h"
#include "support/random_graph.h"
#include "support/same_output.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

using namespace compress;

namespace {

/// A convolution with batch-norm and relu, read by a convolution without bias; random weights.
Graph chain(const std::string& second_convolution) {
  Graph graph = parse_graph(R"(graph chain(x: float[N,3,6,6]) -> (c2)
parameter c1.weight: float[4,3,3,3]
parameter bn.weight: float[4]
parameter bn.bias: float[4]
parameter bn.mean: float[4] fixed
parameter bn.var: float[4] fixed
parameter c2.weight: float[2,4,3,3]
c1 = Conv(x, %c1.weight) kernel_shape=[3,3] pads=[1,1,1,1]
bn = BatchNormalization(c1, %bn.weight, %bn.bias, %bn.mean, %bn.var)
relu = Relu(bn)
c2 = Conv(relu, %c2.weight) )" +
                            second_convolution);
  uint64_t seed = 7;
  for (const auto& name : graph.parameter_names()) {
    at::Tensor& value = graph.writable(name);
    GraphInput shape{"", value.sizes().vec()};
    Graph filler;
    filler.inputs.push_back(shape);
    value.copy_(test::random_input(filler, 1, ++seed)).abs_().add_(0.1);
  }
  return graph;
}

const char* const kValid = "kernel_shape=[3,3]\n";
const char* const kPadded = "kernel_shape=[3,3] pads=[1,1,1,1]\n";

void zero(Graph& graph, const std::string& name, int64_t channel) {
  graph.writable(name).select(0, channel).zero_();
}

Changes thin(Graph& graph, const std::string& batch_norm = "exact") {
  const auto pass = passes::passes().make("thin");
  Settings settings;
  pass->declare(settings);
  settings.read(parse_yaml("batch_norm: " + batch_norm, "test.yaml"), "thin");
  return passes::run(*pass, "thin", graph);
}

/// Thins a copy and requires the same output.
Graph thin_same(const Graph& graph, Changes* changes = nullptr) {
  Graph thinned = graph.clone();
  Changes made = thin(thinned);
  const at::Tensor x = test::random_input(graph, 2, 3);
  REQUIRE(test::relative_difference(test::output_of(thinned, x), test::output_of(graph, x)) < 1e-5);
  if (changes) *changes = std::move(made);
  return thinned;
}

std::string shape_of(const Graph& graph, const std::string& name) {
  return shape_text(graph.parameter(name).value.sizes());
}

}  // namespace

TEST_CASE("thin: a channel that is zero goes from every parameter that carries it, masks follow") {
  Graph graph = chain(kPadded);
  for (const char* name : {"c1.weight", "bn.weight", "bn.bias"}) zero(graph, name, 1);
  graph.parameter("c1.weight").mask = graph.parameter("c1.weight").value.ne(0).to(at::kFloat);
  Changes changes;
  const Graph thinned = thin_same(graph, &changes);
  REQUIRE(shape_of(thinned, "c1.weight") == "3x3x3x3");
  REQUIRE(shape_of(thinned, "bn.var") == "3");
  REQUIRE(shape_of(thinned, "c2.weight") == "2x3x3x3");
  REQUIRE(thinned.parameter("c1.weight").mask.sizes() == thinned.parameter("c1.weight").value.sizes());
  REQUIRE(thinned.find_parameter("c2.bias") == nullptr);
  REQUIRE(changes.sliced.size() == 6);
  REQUIRE(changes.sliced.back().parameter == "c2.weight");
  REQUIRE(changes.sliced.back().axis == 1);
  REQUIRE(shape_text(changes.sliced.back().kept) == "0x2x3");
}

TEST_CASE("thin: a channel that nothing reads goes, whatever its value") {
  Graph graph = chain(kPadded);
  graph.writable("c2.weight").select(1, 2).zero_();
  REQUIRE(shape_of(thin_same(graph), "c1.weight") == "3x3x3x3");
}

TEST_CASE("thin: a constant that is not zero moves to the reader's bias") {
  Graph graph = chain(kValid);
  zero(graph, "bn.weight", 0);  // what slimming leaves: gamma is zero, beta is not
  Changes changes;
  const Graph thinned = thin_same(graph, &changes);
  REQUIRE(shape_of(thinned, "c1.weight") == "3x3x3x3");
  REQUIRE(changes.added == std::vector<std::string>{"c2.bias"});
  REQUIRE(thinned.node("c2").inputs.back() == "c2.bias");
}

TEST_CASE("thin: a bias that is there takes the constant, and its mask opens") {
  Graph graph = chain(kValid);
  zero(graph, "bn.weight", 0);
  graph.add_parameter({.name = "c2.bias", .value = at::zeros({2}), .mask = at::zeros({2})});
  graph.node("c2").inputs.push_back("c2.bias");
  Changes changes;
  const Graph thinned = thin_same(graph, &changes);
  REQUIRE(changes.added.empty());
  REQUIRE(thinned.parameter("c2.bias").mask.sum().item<float>() == 2);
}

TEST_CASE("thin: a bias that other layers read too is not changed for them") {
  Graph graph = chain(kValid);
  zero(graph, "bn.weight", 0);
  graph.add_parameter({.name = "shared", .value = at::ones({2})});
  graph.add_parameter({.name = "c3.weight", .value = at::ones({2, 2, 1, 1})});
  graph.node("c2").inputs.push_back("shared");
  graph.add({.name = "c3", .op = "Conv", .inputs = {"c2", "c3.weight", "shared"}});
  graph.outputs[0].value = "c3";
  const Graph thinned = thin_same(graph);
  REQUIRE(thinned.node("c2").inputs[2] == "c2.bias");
  REQUIRE(thinned.node("c3").inputs[2] == "shared");
}

TEST_CASE("thin: a constant stays where padding makes its share differ from place to place") {
  Graph graph = chain(kPadded);
  zero(graph, "bn.weight", 0);
  REQUIRE(thin(graph).empty());
  REQUIRE(shape_of(graph, "c1.weight") == "4x3x3x3");
}

TEST_CASE("thin: what leads only to dead channels is dead") {
  Graph graph = parse_graph(R"(graph deep(x: float[N,4]) -> (d)
parameter a.weight: float[4,4]
parameter b.weight: float[4,4]
parameter c.weight: float[4,4]
parameter d.weight: float[2,4]
a = Gemm(x, %a.weight) transB=1
b = Gemm(a, %b.weight) transB=1
c = Gemm(b, %c.weight) transB=1
d = Gemm(c, %d.weight) transB=1
)");
  for (const auto& name : graph.parameter_names()) graph.writable(name).fill_(0.5);
  graph.writable("d.weight").select(1, 0).zero_();                  // c0 is not read,
  graph.writable("c.weight").narrow(0, 1, 3).select(1, 1).zero_();  // b1 is read by c0 only,
  graph.writable("b.weight").select(1, 2).zero_();                  // a2 is read by b1 only
  graph.writable("b.weight").select(0, 1).fill_(0.5);
  const Graph thinned = thin_same(graph);
  REQUIRE(shape_of(thinned, "a.weight") == "3x4");
  REQUIRE(shape_of(thinned, "b.weight") == "3x3");
  REQUIRE(shape_of(thinned, "c.weight") == "3x3");
}

TEST_CASE("thin: weights behind quantisers are thinned with their scales") {
  Graph graph = parse_graph(R"(graph quantised(x: float[N,3,4,4]) -> (b)
parameter a.weight: float[4,3,1,1]
parameter a.scale: float[4] fixed
parameter a.zero: float[4] fixed
parameter b.weight: float[2,4,1,1]
a.q = FakeQuantize(%a.weight, %a.scale, %a.zero) axis=0 bits=8 signed=1
a = Conv(x, a.q) kernel_shape=[1,1]
b = Conv(a, %b.weight) kernel_shape=[1,1]
)");
  graph.writable("a.weight").fill_(0.3);
  graph.writable("a.scale").fill_(0.01);
  graph.writable("b.weight").fill_(1);
  zero(graph, "a.weight", 3);
  const Graph thinned = thin_same(graph);
  REQUIRE(shape_of(thinned, "a.weight") == "3x3x1x1");
  REQUIRE(shape_of(thinned, "a.scale") == "3");
  REQUIRE(shape_of(thinned, "b.weight") == "2x3x1x1");
}

TEST_CASE("thin: scales of groups are thinned by output channels, and keep the inputs that share them") {
  Graph graph = parse_graph(R"(graph quantised(x: float[N,3,4,4]) -> (b)
parameter a.weight: float[4,3,1,1]
parameter b.weight: float[4,4,1,1]
parameter b.scale: float[4,2] fixed
parameter b.zero: float[4,2] fixed
parameter c.weight: float[2,4,1,1]
a = Conv(x, %a.weight) kernel_shape=[1,1]
b.q = FakeQuantize(%b.weight, %b.scale, %b.zero) axis=0 input_axis=1 group_size=2 bits=4
b.layer = Conv(a, b.q) kernel_shape=[1,1]
b = Conv(b.layer, %c.weight) kernel_shape=[1,1]
)");
  for (const char* name : {"a.weight", "b.weight", "c.weight"}) graph.writable(name).fill_(0.3);
  graph.writable("b.scale").fill_(0.05);
  zero(graph, "a.weight", 1);
  zero(graph, "b.weight", 3);
  const Graph thinned = thin_same(graph);
  REQUIRE(shape_of(thinned, "a.weight") == "4x3x1x1");
  REQUIRE(shape_of(thinned, "b.weight") == "3x4x1x1");
  REQUIRE(shape_of(thinned, "b.scale") == "3x2");
  REQUIRE(shape_of(thinned, "c.weight") == "2x3x1x1");
}

TEST_CASE("thin: batch_norm 'drop' removes zero filters together with the beta that follows") {
  Graph graph = chain(kPadded);
  zero(graph, "c1.weight", 2);
  Graph exact = graph.clone(), dropped = graph.clone();
  REQUIRE(thin(exact).empty());
  REQUIRE_FALSE(thin(dropped, "drop").empty());
  REQUIRE(shape_of(dropped, "c1.weight") == "3x3x3x3");
  Graph cleared = graph.clone();
  zero(cleared, "bn.bias", 2);
  zero(cleared, "bn.weight", 2);
  const at::Tensor x = test::random_input(graph, 2, 3);
  REQUIRE(test::relative_difference(test::output_of(dropped, x), test::output_of(cleared, x)) < 1e-5);
}

TEST_CASE("thin: a layer that would be left without channels is refused by name") {
  Graph graph = chain(kPadded);
  graph.writable("c1.weight").zero_();
  graph.writable("bn.weight").zero_();
  graph.writable("bn.bias").zero_();
  test::require_error([&] { thin(graph); }, "all 4 channels of node 'c1' (Conv) would be removed",
                      "while running pass 'thin'", "leave at least one channel in every layer");
}

TEST_CASE("thin: channels of inputs and outputs stay") {
  Graph graph = chain(kPadded);
  zero(graph, "c2.weight", 0);
  graph.writable("c1.weight").select(1, 0).zero_();
  REQUIRE(thin(graph).empty());
}
