#include "quant/report/quantizer_report.h"

#include "support/check_error.h"
#include "support/quantization.h"
#include "support/tensors.h"

#include <ATen/TensorOperators.h>

#include <cmath>

using namespace compress;
using namespace compress::test;
using quant::QuantizerReport;

namespace {

/// One linear layer with quantisers on its input, weight and bias; the input's grid reaches from 0 to 3 in steps of 1.
Graph linear() {
  auto graph = quantized_linear(2, 2, 2);
  graph.assign("x.quantizer.scale", at::scalar_tensor(1.0, at::kFloat));
  graph.assign("fc.weight", numbers({1, -2, 0.25, 40}).reshape({2, 2}).to(at::kFloat));
  graph.assign("fc.weight.quantizer.scale", numbers({0.5, 0.25}).to(at::kFloat));
  graph.assign("fc.bias", numbers({1, 1}).to(at::kFloat));
  graph.assign("fc.bias.quantizer.scale", numbers({0.5, 0.25}).to(at::kFloat));
  return graph;
}

}  // namespace

TEST_CASE("quantizer_report: constants are looked at without data: grid, range, error and what is clipped") {
  const auto graph = linear();
  const quant::QuantizerWatch watch(graph);
  const auto& reports = watch.reports();
  REQUIRE(reports.size() == 3);
  const auto& weight = reports[1];
  REQUIRE(weight.name == "fc.weight.quantizer");
  REQUIRE(weight.input == "fc.weight");
  REQUIRE(quant::role_word(weight.role) == "weight");
  REQUIRE(weight.grid() == "int8 symmetric narrow");
  REQUIRE(weight.readers == std::vector<std::string>{"fc"});
  REQUIRE(weight.scales == 2);
  REQUIRE(weight.range->low == -63.5);
  REQUIRE(weight.range->high == 63.5);
  REQUIRE(weight.seen->extremes().high == 40);
  REQUIRE(weight.clipped == 1);  // 40 is beyond 127 * 0.25
  REQUIRE(weight.clipped_percent() == 25);
  REQUIRE(weight.error.max_error() == 40 - 31.75);
  REQUIRE(quant::role_word(reports[2].role) == "bias");
  REQUIRE(reports[2].error.exact());
  REQUIRE(quant::role_word(reports[0].role) == "activation");
  REQUIRE_FALSE(reports[0].seen);
  REQUIRE(reports[0].clipped_percent() == 0);
}

TEST_CASE("quantizer_report: activations are watched batch by batch") {
  const auto graph = linear();
  quant::QuantizerWatch watch(graph);
  for (const auto& batch : {numbers({0.25, 1.5, 3.25, 4}), numbers({-1, -0.25, 2, 3})})
    watch.add(std::vector{batch.reshape({2, 2}).to(at::kFloat)});
  const auto& input = watch.reports()[0];
  REQUIRE(input.grid() == "uint2 asymmetric");
  REQUIRE(input.range->low == 0);
  REQUIRE(input.range->high == 3);
  REQUIRE(input.seen->samples() == 4);
  REQUIRE(input.seen->extremes().low == -1);
  REQUIRE(input.error.numbers() == 8);
  REQUIRE(input.clipped == 2);  // 4 and -1; 3.25 and -0.25 are within half a step
  REQUIRE(input.error.max_error() == 1);
  REQUIRE(input.seen->histogram().total() == 8);
}

TEST_CASE("quantizer_report: other formats have a name and no range of integers") {
  auto graph = linear();
  ops::set_grid(graph.node("fc.weight.quantizer").attributes, {.bits = 8, .format = ops::GridFormat::float8_e4m3});
  graph.touch();
  const quant::QuantizerWatch watch(graph);
  REQUIRE(watch.reports()[1].grid() == "float8_e4m3");
  REQUIRE_FALSE(watch.reports()[1].range);
  REQUIRE(watch.reports()[1].error.sqnr() > 20);
}

TEST_CASE("quantizer_report: a value that is not finite is named") {
  const auto graph = linear();
  quant::QuantizerWatch watch(graph);
  const std::vector batch{numbers({1, std::nan("")}).reshape({1, 2}).to(at::kFloat)};
  require_error([&] { watch.add(batch); }, "'x'");
}
