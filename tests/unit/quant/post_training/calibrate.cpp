#include "quant/post_training/calibrate.h"

#include "exec/plan.h"
#include "support/check_error.h"
#include "support/quantization.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

/// A batch of `n` samples of constant value.
at::Tensor constant(int64_t n, double value) {
  return at::full({n, 3, 8, 8}, value);
}

quant::Statistics
observed(const std::vector<std::string>& values, const std::vector<at::Tensor>& batches, int64_t samples) {
  quant::StatisticsWanted wanted;
  for (const auto& value : values) wanted[value];
  return quant::observe_statistics(filled_graph(kSkip), wanted, calibration_of(batches), samples);
}

quant::Extremes input_range(const std::vector<at::Tensor>& batches, int64_t samples) {
  return observed({"input"}, batches, samples).at("input").extremes();
}

}  // namespace

TEST_CASE("calibrate: the range runs over all batches") {
  const auto range = input_range({constant(2, 1), constant(2, -3), constant(2, 2)}, 100);
  REQUIRE(range.low == -3);
  REQUIRE(range.high == 2);
}

TEST_CASE("calibrate: nothing beyond the asked samples counts") {
  const auto range = input_range({constant(2, 1), constant(2, 2), constant(2, 9)}, 3);
  REQUIRE(range.low == 1);
  REQUIRE(range.high == 2);
  REQUIRE(make_quantizer("PostTrainMinMaxQuantizer", "{}")->calibration_samples() == 512);
  REQUIRE(make_quantizer("PostTrainMinMaxQuantizer", "{calibration_samples: 7}")->calibration_samples() == 7);
  REQUIRE(make_quantizer("QuantAwareTrainRangeLinearQuantizer", "{}")->calibration_samples() == 0);
}

TEST_CASE("calibrate: a network whose batch has a size sees whole batches of that size") {
  const auto graph = filled_graph(R"(graph pairs(input: float[2,3,8,8]) -> (output = relu)
relu = Relu(input)
)");
  const auto low = [&](const std::vector<at::Tensor>& batches) {
    return quant::observe_statistics(graph, {{"input", {}}}, calibration_of(batches), 5).at("input").extremes().low;
  };
  REQUIRE(low({constant(4, -1), constant(3, -2)}) == -1);
  REQUIRE(low({constant(3, -1), constant(2, -2)}) == -2);
  require_error([&] { low({constant(1, -1)}); }, "calibration got no sample");
}

TEST_CASE("calibrate: values inside the network are observed as they are computed") {
  const auto x = random_tensor({4, 3, 8, 8}, 5);
  const auto statistics = observed({"a_relu", "head"}, {x}, 4);
  const auto head = evaluated(filled_graph(kSkip), x);
  REQUIRE(statistics.at("head").extremes().low == Approx(head.min().item<float>()).epsilon(1e-5));
  REQUIRE(statistics.at("head").extremes().high == Approx(head.max().item<float>()).epsilon(1e-5));
  REQUIRE(statistics.at("a_relu").extremes().low == 0);
}

TEST_CASE("calibrate: without samples, and with values that are not finite, it says so") {
  require_error([] { input_range({}, 10); }, "calibration got no sample");
  require_error([] { input_range({constant(1, 0.0) / 0.0}, 10); }, "value 'input' is not finite during calibration");
}

TEST_CASE("calibrate: fewer samples than a batch are enough") {
  const auto range = input_range({constant(1, 4)}, 512);
  REQUIRE(range.high == 4);
}

TEST_CASE("calibrate: a shared grid reaches as far as the furthest range of its values") {
  const std::vector<quant::SharedGrid> grids{{.values = {"input", "head"}, .rule = {.bits = 8}}};
  const auto statistics = observed({"input", "head"}, {constant(2, -7), constant(2, 3)}, 10);
  const auto ranges = quant::choose_ranges(statistics, grids);
  REQUIRE(ranges.at("input") == ranges.at("head"));
  REQUIRE(ranges.at("input").low <= -7);
  REQUIRE(ranges.at("input").high >= 3);
}

TEST_CASE(
    "calibrate: moving averages go by the batches of calibration, into however many parts the network cuts them") {
  const auto graph = filled_graph(kSkip);
  const auto one = random_tensor({4096, 3, 8, 8}, 5), two = random_tensor({4096, 3, 8, 8}, 6) * 3;
  int parts = 0;
  const exec::Plan plan(graph, {.observe = {"d_relu"}, .observer = [&](auto, const at::Tensor&) { ++parts; }});
  const at::Tensor inputs[] = {one};
  plan.run(inputs);
  REQUIRE(parts > 1);
  const quant::StatisticsWanted wanted{{"input", {.decays = {0.5}}}, {"a_relu", {.decays = {0.5}}}};
  const auto statistics = quant::observe_statistics(graph, wanted, calibration_of({one, two}), 8192);
  auto until_relu = graph.clone();
  until_relu.outputs = {{.name = "relu", .value = "a_relu"}};
  for (const std::string name : {"input", "a_relu"}) {
    const auto greatest = [&](const at::Tensor& x) {
      return (name == "input" ? x : evaluated(until_relu, x)).max().item<double>();
    };
    const double expected = (0.25 * greatest(one) + 0.5 * greatest(two)) / 0.75;
    REQUIRE(statistics.at(name).moving_average(0.5).high == Approx(expected).epsilon(1e-4));
  }
}

TEST_CASE("calibrate: observers say what is to be known, and known ranges need nothing") {
  const std::shared_ptr<const quant::Observer> percentile = quant::observers().make("percentile");
  const std::vector<quant::SharedGrid> grids{{.values = {"a"}, .rule = {.bits = 8, .observer = percentile}},
                                             {.values = {"b"}, .rule = {.bits = 8}},
                                             {.values = {"c"}, .rule = {.bits = 8, .range = quant::Extremes{0, 1}}},
                                             {.values = {"d"}, .rule = {.bits = 8, .method = "ema"}}};
  const auto wanted = quant::statistics_wanted(grids);
  REQUIRE(wanted.size() == 2);
  REQUIRE(wanted.at("a").histogram);
  REQUIRE_FALSE(wanted.at("b").histogram);
  REQUIRE(quant::choose_ranges({}, {grids[2]}).at("c").high == 1);
}
