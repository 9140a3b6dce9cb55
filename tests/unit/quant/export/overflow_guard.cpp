#include "quant/export/overflow_guard.h"

#include "exec/plan.h"
#include "graph/text_form.h"
#include "ops/quantization_grid.h"
#include "support/captured_stderr.h"
#include "support/check_error.h"
#include "support/tensors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

using namespace compress;
using namespace compress::test;
using quant::OverflowGuard;

namespace {

/// Two linear layers of which only the first can overflow.
Graph two_layers(const std::string& grid = "narrow_range=1", const std::string& more = "") {
  auto graph = parse_graph(R"(graph net(x: float[N,4]) -> (y = b)
parameter x.quantizer.scale: float[]
parameter x.quantizer.zero_point: float[]
parameter a.weight: float[3,4]
parameter a.weight.quantizer.scale: float[3]
parameter a.weight.quantizer.zero_point: float[3]
parameter a.bias: float[3]
parameter a.bias.quantizer.scale: float[3]
parameter a.bias.quantizer.zero_point: float[3]
parameter b.weight: float[2,3]
parameter b.weight.quantizer.scale: float[]
parameter b.weight.quantizer.zero_point: float[]
x.quantizer = FakeQuantize(x, %x.quantizer.scale, %x.quantizer.zero_point) bits=8 signed=0 symmetric=0
a.weight.quantizer = FakeQuantize(%a.weight, %a.weight.quantizer.scale, %a.weight.quantizer.zero_point) axis=0 bits=8 )" +
                           grid + more + R"(
a.bias.quantizer = FakeQuantize(%a.bias, %a.bias.quantizer.scale, %a.bias.quantizer.zero_point) axis=0 bits=32 narrow_range=1
a = Gemm(x.quantizer, a.weight.quantizer, a.bias.quantizer) transB=1
a.quantizer = FakeQuantize(a, %x.quantizer.scale, %x.quantizer.zero_point) bits=8 signed=0 symmetric=0
b.weight.quantizer = FakeQuantize(%b.weight, %b.weight.quantizer.scale, %b.weight.quantizer.zero_point) bits=8
b = Gemm(a.quantizer, b.weight.quantizer) transB=1
)");
  const auto scales = at::full({3}, 0.01, at::kFloat);
  graph.assign("x.quantizer.scale", at::scalar_tensor(0.0078125, at::kFloat));
  graph.assign("x.quantizer.zero_point", at::scalar_tensor(128, at::kFloat));
  graph.assign("a.weight", wild({3, 4}, 1).mul(1.27).to(at::kFloat));
  graph.assign("a.weight.quantizer.scale", scales);
  graph.assign("a.bias", wild({3}, 2).to(at::kFloat));
  graph.assign("a.bias.quantizer.scale", scales * 0.0078125);
  graph.assign("b.weight", wild({2, 3}, 3).mul(0.3).to(at::kFloat));
  graph.assign("b.weight.quantizer.scale", at::scalar_tensor(0.01, at::kFloat));
  return graph;
}

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
  REQUIRE(report.layers[0].layer == "a");
  REQUIRE(report.changes.empty());
  REQUIRE(print_graph(graph) == before);
  REQUIRE_THAT(report.text,
               Catch::Contains("x86 without VNNI adds pairs of byte products in 16 bits, and 1 layer(s) can "
                               "exceed its 32,767: a (") &&
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
  for (const auto* grid : {"narrow_range=1", "narrow_range=0", "symmetric=0"}) {
    auto graph = two_layers(grid);
    const auto before = output(graph);
    const auto report = quant::guard_overflow(graph, OverflowGuard::unsigned_weights);
    REQUIRE(report.changes.nodes_changed == 1);
    REQUIRE_THAT(report.text, Catch::Contains("stored as unsigned bytes"));
    REQUIRE_FALSE(ops::grid_spec(graph.node("a.weight.quantizer")).is_signed);
    REQUIRE(at::equal(graph.parameter("a.weight.quantizer.zero_point").value, at::full({3}, 128, at::kFloat)));
    REQUIRE(ops::grid_spec(graph.node("b.weight.quantizer")).is_signed);
    REQUIRE(at::equal(output(graph), before));
    REQUIRE(quant::guard_overflow(graph, OverflowGuard::warn).layers.empty());
  }
}

TEST_CASE("overflow_guard: seven bits keep the range, the bias stays on the grid of the sums") {
  for (const auto* grid : {"narrow_range=1", "narrow_range=0", "symmetric=0"}) {
    INFO(grid);
    auto graph = two_layers(grid);
    const auto before = two_layers(grid);
    quant::guard_overflow(graph, OverflowGuard::seven_bits);
    REQUIRE(ops::grid_spec(graph.node("a.weight.quantizer")).bits == 7);
    REQUIRE(ops::grid_spec(graph.node("b.weight.quantizer")).bits == 8);
    REQUIRE(graph.parameter("a.weight.quantizer.scale").value[0].item<double>() == Approx(0.02).margin(0.0002));
    const auto bias = graph.parameter("a.bias.quantizer.scale").value;
    REQUIRE(at::equal(bias, two_layers().parameter("a.bias.quantizer.scale").value *
                                (graph.parameter("a.weight.quantizer.scale").value / 0.01F)));
    REQUIRE(noise(graph, before) < 0.05);
    REQUIRE(noise(graph, before) > 0);
    REQUIRE(quant::guard_overflow(graph, OverflowGuard::warn).layers.empty());
  }
}

TEST_CASE("overflow_guard: auto stores unsigned weights, but not for runtimes that want signed ones") {
  for (const auto& [runtime, mode] :
       {std::pair("", OverflowGuard::unsigned_weights), std::pair("onnxruntime", OverflowGuard::unsigned_weights),
        std::pair("tensorrt", OverflowGuard::off)}) {
    auto graph = two_layers();
    if (*runtime) graph.metadata[quant::kRuntimeKey] = runtime;
    REQUIRE(quant::guard_overflow(graph, OverflowGuard::automatic).mode == mode);
    REQUIRE(ops::grid_spec(graph.node("a.weight.quantizer")).is_signed == (mode == OverflowGuard::off));
  }
}

TEST_CASE("overflow_guard: what cannot be changed is refused") {
  auto training = two_layers("narrow_range=1", " method=\"minmax\"");
  require_error([&] { quant::guard_overflow(training, OverflowGuard::unsigned_weights); },
                "the weights' quantiser 'a.weight.quantizer' still follows the training (method 'minmax')",
                "overflow_guard: warn");
  auto approximated = two_layers("narrow_range=1", " multiplier_bits=8");
  require_error([&] { quant::guard_overflow(approximated, OverflowGuard::seven_bits); },
                "'a.weight.quantizer' has multiplier_bits 8, which seven_bits would break", "bits_weights: 7");
}

TEST_CASE("overflow_guard: the words") {
  REQUIRE(quant::overflow_guard("seven_bits") == OverflowGuard::seven_bits);
  REQUIRE(quant::overflow_guards().size() == 5);
  require_error([] { quant::overflow_guard("seven_bit"); }, "there is no overflow guard 'seven_bit'",
                "did you mean 'seven_bits'?", "auto, off, warn, seven_bits or unsigned_weights");
}
