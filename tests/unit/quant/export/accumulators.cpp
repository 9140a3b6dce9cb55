#include "quant/export/accumulators.h"

#include "exec/plan.h"
#include "ops/op.h"
#include "ops/quantization_grid.h"
#include "ops/restricted_scale.h"
#include "quant/export/lowering.h"
#include "support/captured_stderr.h"
#include "support/check_error.h"
#include "support/quantization.h"
#include "support/tensors.h"

#include <ATen/TensorOperators.h>

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace compress;
using namespace compress::test;

namespace {

/// A layer on fixed grids whose output has one too. `weight`: further attributes of the weight's quantiser.
Graph layer(const std::string& weight, bool per_channel = true) {
  const auto scales = per_channel ? "[4]" : "[]";
  return filled_graph(fmt::format(R"(graph layer(input: float[N,3,8,8]) -> (output = y))"
                                  R"(
parameter x.s: float[] fixed
parameter x.z: float[] fixed
parameter w: float[4,3,3,3]
parameter w.s: float{0} fixed
parameter w.z: float{0} fixed
parameter b: float[4]
parameter y.s: float[] fixed
parameter y.z: float[] fixed
x = FakeQuantize(input, %x.s, %x.z) bits=8
wq = FakeQuantize(%w, %w.s, %w.z) {1} bits=8 {2}
conv = Conv(x, wq, %b) kernel_shape=[3,3]
relu = Relu(conv)
y = FakeQuantize(relu, %y.s, %y.z) bits=8 signed=0
)",
                                  scales, per_channel ? "axis=0" : "", weight));
}

Graph with_grids(const std::string& weight, bool per_channel = true) {
  auto graph = layer(weight, per_channel);
  const auto set = [&](const char* name, const at::Tensor& value) { graph.assign(name, value.to(at::kFloat)); };
  for (const auto* name : {"x.z", "y.z"}) set(name, at::scalar_tensor(0.0));
  set("x.s", at::scalar_tensor(0.031));
  set("y.s", at::scalar_tensor(0.047));
  const auto range = ops::value_range(graph.parameter("w").value, per_channel ? 0 : -1);
  const auto grid = ops::make_grid(range.min, range.max, {.narrow = true});
  set("w.s", grid.scale);
  set("w.z", grid.zero_point);
  return graph;
}

at::Tensor value_of(const Graph& graph, const char* name) {
  return graph.parameter(name).value;
}

/// The integers that a quantiser of a parameter rounds to.
at::Tensor integers_of(const Graph& graph, const char* name) {
  const auto& node = graph.node(name);
  return ops::quantized(graph.parameter(node.inputs[0]).value,
                        {graph.parameter(node.inputs[1]).value, graph.parameter(node.inputs[2]).value},
                        ops::grid_spec(node), ops::grid_axes(node))
      .to(at::kDouble);
}

}  // namespace

TEST_CASE("accumulators: biases stand on the sums' grid, of 32 bits or as wide as the accumulator") {
  for (const auto& [attribute, bits] : {std::pair("", 32), {"accumulator_bits=18", 18}}) {
    auto graph = with_grids(attribute);
    quant::finish(graph);
    ops::verify(graph);
    const auto& bias = graph.node("b.quantizer");
    REQUIRE(bias.attributes.integer("bits", 0) == bits);
    REQUIRE(bias.attributes.integer("axis", -1) == 0);
    REQUIRE(value_of(graph, "b.quantizer.scale").equal(value_of(graph, "x.s") * value_of(graph, "w.s")));
  }
}

TEST_CASE("accumulators: a narrow one saturates behind the sum, before the activation") {
  for (const bool per_channel : {true, false}) {
    auto wide = with_grids("", per_channel), narrow = with_grids("accumulator_bits=12", per_channel);
    quant::finish(wide);
    quant::finish(narrow);
    ops::verify(narrow);
    REQUIRE(narrow.node("relu").inputs[0] == "conv.accumulator");
    REQUIRE(quant::is_accumulator(narrow.node("conv.accumulator")));
    REQUIRE_FALSE(quant::is_accumulator(narrow.node("y")));
    REQUIRE_FALSE(narrow.node("wq").attributes.has("accumulator_bits"));
    wide.outputs[0].value = "conv";
    narrow.outputs[0].value = "conv.accumulator";
    const auto x = random_tensor({2, 3, 8, 8}, 5) * 4;
    const auto scale = quant::sum_scale(wide, wide.node("conv")).reshape({1, -1, 1, 1});
    const auto sums = (evaluated(wide, x) / scale).round();
    REQUIRE(sums.abs().max().item<double>() > 2048);
    REQUIRE((evaluated(narrow, x) / scale - sums.clamp(-2048, 2047)).abs().max().item<double>() < 1e-3);
  }
}

namespace {

/// Filter 1 times `factor`, with the grid that make_grid() has for it; biases of 0.3, on inputs in steps of 1.
Graph with_faint_filter(double factor, bool per_channel, const std::string& attributes = "") {
  auto graph = with_grids(attributes, per_channel);
  auto weight = value_of(graph, "w").clone();
  (per_channel ? weight.select(0, 1) : weight).mul_(factor);
  graph.assign("w", weight);
  const auto range = ops::value_range(weight, per_channel ? 0 : -1);
  const auto grid = ops::make_grid(range.min, range.max, ops::grid_spec(graph.node("wq")));
  graph.assign("w.s", grid.scale);
  graph.assign("x.s", at::scalar_tensor(1.0, at::kFloat));
  graph.assign("b", value_of(graph, "b").clone().fill_(0.3));
  return graph;
}

/// How far the filter's output is from its bias, which is all that the filter adds.
double bias_error(Graph graph, int64_t filter) {
  graph.outputs[0].value = "conv";
  return (evaluated(graph, random_tensor({2, 3, 8, 8}, 5)).select(1, filter) - 0.3).abs().max().item<double>();
}

}  // namespace

TEST_CASE("accumulators: the bias of a filter without weights is kept, in the simulation and in the file") {
  for (const bool per_channel : {true, false})
    for (const double factor : {0.0, 1e-12, 1e-38}) {
      INFO(per_channel << " " << factor);
      auto graph = with_faint_filter(factor, per_channel);
      const auto before = value_of(graph, "w.s").clone();
      REQUIRE(bias_error(graph.clone(), 1) < 1e-6);
      quant::finish(graph);
      ops::verify(graph);
      REQUIRE(bias_error(graph.clone(), 1) < 0.005);
      REQUIRE(integers_of(graph, "b.quantizer").abs().max().item<double>() <= std::ldexp(1.0, 30) + 1);
      if (per_channel) REQUIRE(value_of(graph, "w.s").select(0, 0).equal(before.select(0, 0)));
      const auto lowered = quant::lower_to_qdq(graph);
      REQUIRE(
          evaluated(lowered, random_tensor({2, 3, 8, 8}, 5)).equal(evaluated(graph, random_tensor({2, 3, 8, 8}, 5))));
      REQUIRE(bias_error(quant::lower_to_qdq(graph), 1) < 0.005);
      REQUIRE(quant::finish(graph).empty());
    }
}

TEST_CASE("accumulators: scales that grow for a bias stay powers of two where they were") {
  auto graph = with_faint_filter(1e-12, true, "scale_rule=\"power_of_two\"");
  quant::finish(graph);
  REQUIRE(bias_error(graph.clone(), 1) < 0.005);
  const auto exponents = value_of(graph, "w.s").log2();
  REQUIRE(exponents.equal(exponents.round()));
}

TEST_CASE("accumulators: filters without weights in a transposed convolution of groups keep their biases") {
  auto graph = filled_graph(R"(graph up(input: float[N,2,8,8]) -> (output = conv)
parameter x.s: float[] fixed
parameter x.z: float[] fixed
parameter w: float[2,2,3,3]
parameter w.s: float[2] fixed
parameter w.z: float[2] fixed
parameter b: float[4]
x = FakeQuantize(input, %x.s, %x.z) bits=8
wq = FakeQuantize(%w, %w.s, %w.z) axis=1 bits=8 narrow_range=1
conv = ConvTranspose(x, wq, %b) group=2 kernel_shape=[3,3]
)");
  for (const auto* name : {"x.z", "w.z"}) graph.assign(name, value_of(graph, name).clone().zero_());
  auto weight = value_of(graph, "w").clone();
  weight.select(1, 1).zero_();
  graph.assign("w", weight);
  const auto range = ops::value_range(weight, 1);
  graph.assign("w.s", ops::make_grid(range.min, range.max, {.narrow = true}).scale);
  graph.assign("x.s", at::scalar_tensor(1.0, at::kFloat));
  graph.assign("b", value_of(graph, "b").clone().fill_(0.3));
  quant::finish(graph);
  ops::verify(graph);
  const auto y = evaluated(graph, random_tensor({2, 2, 8, 8}, 5));
  for (const int64_t channel : {1, 3}) REQUIRE((y.select(1, channel) - 0.3).abs().max().item<double>() < 0.005);
}

TEST_CASE("accumulators: a bias that is not finite is named") {
  auto graph = with_grids("");
  graph.assign("b", value_of(graph, "b").clone().fill_(std::numeric_limits<double>::quiet_NaN()));
  require_error([&] { quant::finish(graph); }, "parameter 'b' is not finite: no grid covers it", "NaN or infinity");
}

TEST_CASE("accumulators: a narrow one adds the bias in its own steps, whatever grid the bias had") {
  auto graph = with_grids("accumulator_bits=14");
  for (const auto* name : {"b.s", "b.z"})
    graph.add_parameter({.name = name, .value = value_of(graph, "x.z").clone(), .trainable = false});
  graph.assign("b.s", at::scalar_tensor(0.11, at::kFloat));
  Node own{.name = "bq", .op = "FakeQuantize", .inputs = {"b", "b.s", "b.z"}};
  ops::set_grid(own.attributes, {.bits = 8, .narrow = true});
  graph.insert_before(graph.node("conv"), std::move(own));
  graph.node("conv").inputs[2] = "bq";
  graph.touch();
  quant::finish(graph);
  REQUIRE(graph.find_node("bq") == nullptr);
  REQUIRE(value_of(graph, "b.quantizer.scale").equal(value_of(graph, "x.s") * value_of(graph, "w.s")));
  const auto x = random_tensor({2, 3, 8, 8}, 5) * 4;
  REQUIRE(evaluated(quant::lower_to_qdq(graph), x).equal(evaluated(graph, x)));
}

TEST_CASE("accumulators: one whose bias stays in floating point is not narrowed, with a warning") {
  auto graph = with_grids("accumulator_bits=14 float_bias=1");
  const auto text = captured_stderr([&] { quant::finish(graph); });
  REQUIRE_THAT(text, Catch::Contains("the accumulator of 'conv' is not narrowed to 14 bits: its bias is not on the "
                                     "grid of its sums"));
  REQUIRE(graph.find_node("conv.accumulator") == nullptr);
  auto dynamic = with_grids("accumulator_bits=14");
  dynamic.node("x").attributes.set("method", std::string("dynamic"));
  dynamic.touch();
  REQUIRE_THAT(captured_stderr([&] { quant::finish(dynamic); }),
               Catch::Contains("is not narrowed to 14 bits: its input and its weight are not both on fixed grids of "
                               "integers"));
}

TEST_CASE("accumulators: an output whose step is that of the sums is none") {
  auto graph = with_grids("", false);
  graph.assign("y.s", value_of(graph, "x.s") * value_of(graph, "w.s"));
  graph.node("y").inputs[0] = "conv";
  ops::set_grid(graph.node("y").attributes, {.bits = 16});
  graph.touch();
  graph.erase("relu");
  quant::finish(graph);
  REQUIRE_FALSE(quant::is_accumulator(graph.node("y")));
  REQUIRE(quant::lower_to_qdq(graph).node("y").op == "DequantizeLinear");
}

TEST_CASE("accumulators: one that is wide enough changes nothing") {
  auto wide = with_grids(""), narrow = with_grids("accumulator_bits=28");
  quant::finish(wide);
  quant::finish(narrow);
  const auto x = random_tensor({2, 3, 8, 8}, 6);
  REQUIRE(evaluated(narrow, x).equal(evaluated(wide, x)));
  auto full = with_grids("accumulator_bits=32");
  quant::finish(full);
  REQUIRE(wiring(full) == wiring(wide));
}

TEST_CASE("accumulators: an approximated multiplier has so many bits, and the integers stay") {
  for (const bool per_channel : {true, false})
    for (const int bits : {4, 8, 16}) {
      auto exact = with_grids("", per_channel);
      auto graph = with_grids(fmt::format("multiplier_bits={}", bits), per_channel);
      quant::finish(exact);
      quant::finish(graph);
      ops::verify(graph);
      REQUIRE_FALSE(graph.node("wq").attributes.has("multiplier_bits"));
      REQUIRE(integers_of(graph, "wq").equal(integers_of(exact, "wq")));
      REQUIRE(integers_of(graph, "b.quantizer").equal(integers_of(exact, "b.quantizer")));
      const auto scale = [](const Graph& some) {
        const auto wide = [&](const char* name) { return value_of(some, name).to(at::kDouble); };
        return wide("x.s") * wide("w.s") / wide("y.s");
      };
      const auto approximated = ops::fixed_point_scale(scale(exact), bits);
      REQUIRE((scale(graph) / approximated.value - 1).abs().max().item<double>() < 2e-7);
      REQUIRE(value_of(graph, "b.quantizer.scale").equal(value_of(graph, "x.s") * value_of(graph, "w.s")));
    }
}

TEST_CASE("accumulators: without a grid behind the layer its multiplier stays exact") {
  auto graph = with_grids("multiplier_bits=4");
  graph.outputs[0].value = "relu";
  const auto scale = value_of(graph, "w.s").clone();
  quant::finish(graph);
  REQUIRE(value_of(graph, "w.s").equal(scale));
}

TEST_CASE("accumulators: finishing twice is finishing once") {
  auto graph = with_grids("multiplier_bits=6 accumulator_bits=14");
  quant::finish(graph);
  const auto x = random_tensor({2, 3, 8, 8}, 7);
  const auto once = evaluated(graph, x);
  REQUIRE(quant::finish(graph).empty());
  REQUIRE(evaluated(graph, x).equal(once));
}

TEST_CASE("accumulators: layers that share a weight share its multiplier or are refused") {
  const auto twice = [](double second_output) {
    auto graph = with_grids("multiplier_bits=5");
    graph.add_parameter({.name = "other.s", .value = at::scalar_tensor(second_output), .trainable = false});
    graph.add({.name = "again", .op = "Conv", .inputs = {"x", "wq"}, .attributes = graph.node("conv").attributes});
    graph.add({.name = "z", .op = "FakeQuantize", .inputs = {"again", "other.s", "y.z"}});
    graph.outputs.push_back({.name = "second", .value = "z"});
    return graph;
  };
  auto same = twice(0.047);
  quant::finish(same);
  auto different = twice(0.031);
  require_error([&] { quant::finish(different); },
                "'conv' and 'again' share the weight 'w' and need different multipliers", "scale_approx_mult_bits");
}

TEST_CASE("accumulators: sums of other formats and of groups have no common step") {
  for (const auto* weight : {"format=\"float8_e4m3\"", "group_size=1 input_axis=1", "method=\"dynamic\""}) {
    auto graph = with_grids(weight);
    if (std::string(weight).starts_with("group"))
      for (const auto* name : {"w.s", "w.z"}) graph.assign(name, value_of(graph, name).unsqueeze(1).repeat({1, 3}));
    ops::verify(graph);
    quant::finish(graph);
    REQUIRE_FALSE(quant::sum_scale(graph, graph.node("conv")).defined());
    REQUIRE(graph.node("conv").inputs[2] == "b");
  }
}

TEST_CASE("accumulators: widths that no register has are refused") {
  const auto verify = [](const std::string& attribute) { return [attribute] { ops::verify(with_grids(attribute)); }; };
  require_error(verify("accumulator_bits=33"), "an accumulator of 33 bits", "allowed are 2 to 32 bits");
  require_error(verify("accumulator_bits=1"), "an accumulator of 1 bits");
  require_error(verify("multiplier_bits=1"), "attribute 'multiplier_bits' is 1", "allowed are 2 to 31");
  require_error(verify("multiplier_bits=32"), "attribute 'multiplier_bits' is 32");
}
