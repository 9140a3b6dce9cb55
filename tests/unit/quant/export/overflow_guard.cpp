#include "quant/export/overflow_guard.h"

#include "exec/plan.h"
#include "graph/text_form.h"
#include "ops/quantization_grid.h"
#include "quant/export/lowering.h"
#include "support/captured_stderr.h"
#include "support/check_error.h"
#include "support/tensors.h"
#include "unit/quant/export/lowered.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

using namespace compress;
using namespace compress::test;
using quant::OverflowGuard;

namespace {

/// Two linear layers of which only the first can overflow. `more`: attributes of its weight's quantiser.
Graph two_layers(const ops::GridSpec& grid = {.narrow = true}, const Attributes& more = {}) {
  auto graph = quantized_linear(3, 4);
  auto& quantizer = graph.node("fc.weight.quantizer");
  ops::set_grid(quantizer.attributes, grid);
  for (const auto& [name, value] : more) quantizer.attributes.set(name, value);
  const auto scales = at::full({3}, 0.01, at::kFloat), scale = at::scalar_tensor(0.0078125, at::kFloat);
  graph.assign("x.quantizer.scale", scale);
  graph.assign("x.quantizer.zero_point", at::scalar_tensor(128, at::kFloat));
  graph.assign("fc.weight", wild({3, 4}, 1).mul(1.27).to(at::kFloat));
  graph.assign("fc.weight.quantizer.scale", scales);
  graph.assign("fc.bias", wild({3}, 2).to(at::kFloat));
  graph.assign("fc.bias.quantizer.scale", scales * scale);
  const auto add = [&](const char* name, const at::Tensor& value) {
    graph.add_parameter({.name = name, .value = value.to(at::kFloat)});
  };
  add("b.weight", wild({2, 3}, 3).mul(0.3));
  add("b.weight.quantizer.scale", at::scalar_tensor(0.01));
  add("b.weight.quantizer.zero_point", at::scalar_tensor(0.0));
  const auto quantize = [&](const std::string& name, std::vector<std::string> inputs, const ops::GridSpec& spec) {
    Node node{.name = name, .op = "FakeQuantize", .inputs = std::move(inputs)};
    ops::set_grid(node.attributes, spec);
    graph.add(std::move(node));
  };
  quantize("fc.quantizer", {"fc", "x.quantizer.scale", "x.quantizer.zero_point"},
           ops::grid_spec(graph.node("x.quantizer")));
  quantize("b.weight.quantizer", {"b.weight", "b.weight.quantizer.scale", "b.weight.quantizer.zero_point"}, {});
  graph.add({.name = "b",
             .op = "Gemm",
             .inputs = {"fc.quantizer", "b.weight.quantizer"},
             .attributes = graph.node("fc").attributes});
  graph.outputs[0].value = "b";
  graph.touch();
  return graph;
}

Attributes attribute(const std::string& name, Attribute value) {
  Attributes attributes;
  attributes.set(name, std::move(value));
  return attributes;
}

/// Signed weights of 8 bits, as quantisers put them on grids.
const ops::GridSpec kSignedGrids[] = {{.narrow = true}, {}, {.symmetric = false}};

at::Tensor output(const Graph& graph) {
  const at::Tensor inputs[] = {wild({16, 4}, 7).to(at::kFloat)};
  return exec::Plan(graph, {.optimize = false}).run(inputs)[0];
}

double noise(const Graph& graph, const Graph& reference) {
  return (output(graph) - output(reference)).abs().max().item<double>();
}

}  // namespace

TEST_CASE("overflow_guard: the layers that can overflow are named with their largest pair; nothing is changed") {
  auto graph = two_layers();
  const auto before = print_graph(graph);
  const auto report = quant::guard_overflow(graph, OverflowGuard::warn);
  REQUIRE(report.layers.size() == 1);
  REQUIRE(report.layers[0].layer == "fc");
  REQUIRE(report.changes.empty());
  REQUIRE(print_graph(graph) == before);
  REQUIRE_THAT(report.text,
               Catch::Contains("x86 without VNNI adds pairs of byte products in 16 bits, and 1 layer(s) can "
                               "exceed its 32,767: fc (") &&
                   Catch::Contains("left as they are; seven_bits or unsigned_weights would prevent it") &&
                   Catch::Contains("this processor: "));
  const auto text = captured_stderr([&] { quant::guard_overflow_aloud(graph, OverflowGuard::warn); });
  REQUIRE_THAT(text, Catch::Contains("[overflow] "));
}

TEST_CASE("overflow_guard: off looks at nothing") {
  auto graph = two_layers();
  const auto report = quant::guard_overflow(graph, OverflowGuard::off);
  REQUIRE(report.layers.empty());
  REQUIRE(report.text.empty());
}

TEST_CASE("overflow_guard: unsigned weights are the same numbers, bit for bit") {
  for (const auto& grid : kSignedGrids) {
    auto graph = two_layers(grid);
    const auto before = output(graph);
    const auto report = quant::guard_overflow(graph, OverflowGuard::unsigned_weights);
    REQUIRE(report.changes.nodes_changed == 1);
    REQUIRE_THAT(report.text, Catch::Contains("stored as unsigned bytes"));
    REQUIRE_FALSE(ops::grid_spec(graph.node("fc.weight.quantizer")).is_signed);
    REQUIRE(at::equal(graph.parameter("fc.weight.quantizer.zero_point").value, at::full({3}, 128, at::kFloat)));
    REQUIRE(ops::grid_spec(graph.node("b.weight.quantizer")).is_signed);
    REQUIRE(at::equal(output(graph), before));
    REQUIRE(quant::guard_overflow(graph, OverflowGuard::warn).layers.empty());
  }
}

TEST_CASE("overflow_guard: seven bits keep the range, the bias stays on the grid of the sums") {
  for (const auto& grid : kSignedGrids) {
    auto graph = two_layers(grid);
    const auto before = two_layers(grid);
    quant::guard_overflow(graph, OverflowGuard::seven_bits);
    REQUIRE(ops::grid_spec(graph.node("fc.weight.quantizer")).bits == 7);
    REQUIRE(ops::grid_spec(graph.node("b.weight.quantizer")).bits == 8);
    REQUIRE(graph.parameter("fc.weight.quantizer.scale").value[0].item<double>() == Approx(0.02).margin(0.0002));
    const auto bias = graph.parameter("fc.bias.quantizer.scale").value;
    REQUIRE(at::equal(bias,
                      graph.parameter("x.quantizer.scale").value * graph.parameter("fc.weight.quantizer.scale").value));
    REQUIRE(noise(graph, before) < 0.05);
    REQUIRE(noise(graph, before) > 0);
    REQUIRE(quant::guard_overflow(graph, OverflowGuard::warn).layers.empty());
  }
}

TEST_CASE("overflow_guard: with seven bits, convolutions per channel stay integer operators") {
  auto graph = quantized_network(kResidual);
  quant::finish(graph);
  REQUIRE(quant::guard_overflow(graph, OverflowGuard::seven_bits).layers.size() > 1);
  const auto lowered = quant::lower_to_qoperator(graph);
  for (const auto* name : {"conv1", "conv2"}) REQUIRE(lowered.node(name).op == "QLinearConv");
}

TEST_CASE("overflow_guard: auto stores unsigned weights, but not for runtimes that want signed ones") {
  for (const auto& [runtime, mode] :
       {std::pair("", OverflowGuard::unsigned_weights), std::pair("onnxruntime", OverflowGuard::unsigned_weights),
        std::pair("tensorrt", OverflowGuard::off)}) {
    auto graph = two_layers();
    if (*runtime) graph.metadata[quant::kRuntimeKey] = runtime;
    REQUIRE(quant::guard_overflow(graph, OverflowGuard::automatic).mode == mode);
    REQUIRE(ops::grid_spec(graph.node("fc.weight.quantizer")).is_signed == (mode == OverflowGuard::off));
  }
}

TEST_CASE("overflow_guard: what cannot be changed is refused") {
  auto training = two_layers({.narrow = true}, attribute("method", std::string("minmax")));
  require_error([&] { quant::guard_overflow(training, OverflowGuard::unsigned_weights); },
                "the weights' quantiser 'fc.weight.quantizer' still follows the training (method 'minmax')",
                "overflow_guard: warn");
  auto approximated = two_layers({.narrow = true}, attribute("multiplier_bits", int64_t{8}));
  require_error([&] { quant::guard_overflow(approximated, OverflowGuard::seven_bits); },
                "'fc.weight.quantizer' has multiplier_bits 8, which seven_bits would break", "bits_weights: 7");
  auto narrow = quantized_network(kResidual);
  narrow.node("conv1.weight.quantizer").attributes.set("accumulator_bits", int64_t{20});
  narrow.touch();
  quant::finish(narrow);
  require_error([&] { quant::guard_overflow(narrow, OverflowGuard::seven_bits); },
                "'conv1' has an accumulator of 20 bits, which seven_bits would break", "use unsigned_weights");
}

TEST_CASE("overflow_guard: the words") {
  REQUIRE(quant::overflow_guard("seven_bits") == OverflowGuard::seven_bits);
  REQUIRE(quant::overflow_guards().size() == 5);
  require_error([] { quant::overflow_guard("seven_bit"); }, "there is no overflow guard 'seven_bit'",
                "did you mean 'seven_bits'?", "auto, off, warn, seven_bits or unsigned_weights");
}
