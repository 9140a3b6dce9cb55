#include "quant/calibrate.h"

#include "support/check_error.h"
#include "unit/quant/support.h"

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

quant::Extremes input_range(const std::vector<at::Tensor>& batches, int64_t samples) {
  const auto graph = filled_graph(kSkip);
  return quant::observe_ranges(graph, {"input"}, calibration_of(batches), samples).at("input");
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

TEST_CASE("calibrate: values inside the network are observed as they are computed") {
  const auto graph = filled_graph(kSkip);
  const auto x = random_tensor({4, 3, 8, 8}, 5);
  const auto ranges = quant::observe_ranges(graph, {"a_relu", "head"}, calibration_of({x}), 4);
  const auto head = evaluated(graph, x);
  REQUIRE(ranges.at("head").low == Approx(head.min().item<float>()).epsilon(1e-5));
  REQUIRE(ranges.at("head").high == Approx(head.max().item<float>()).epsilon(1e-5));
  REQUIRE(ranges.at("a_relu").low == 0);
}

TEST_CASE("calibrate: without samples, and with values that are not finite, it says so") {
  require_error([] { input_range({}, 10); }, "calibration got no sample");
  require_error([] { input_range({constant(1, 0.0) / 0.0}, 10); }, "value 'input' is not finite during calibration");
}
