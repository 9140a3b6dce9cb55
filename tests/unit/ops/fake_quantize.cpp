#include "support/check_error.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace compress;
using namespace compress::test;
using ops::Mode;

namespace {

at::Tensor scalar(double value) {
  return at::scalar_tensor(value, at::kFloat);
}

}  // namespace

TEST_CASE("FakeQuantize: minmax takes the grid from the value, in training only", "[ops]") {
  const auto node = node_of("y = FakeQuantize(%w, %s, %z) method=\"minmax\" axis=0 narrow_range=1");
  const auto w = numbers({0.5, -1, 0.2, 2, 0, 1}).reshape({2, 3}).to(at::kFloat);
  const auto scale = at::scalar_tensor(9.0, at::kFloat).repeat({2}), zero_point = scale.clone();
  run_op(node, {w, scale, zero_point});
  REQUIRE(scale[0].item<double>() == 9);
  const auto y = run_op(node, {w, scale, zero_point}, Mode::train)[0];
  require_close(scale, numbers({1.0 / 127, 2.0 / 127}), 1e-8);
  require_close(zero_point, numbers({0, 0}), 0);
  require_close(y, w, 1.0 / 127);
  require_close(run_op(node, {w, scale, zero_point})[0], y, 0);
}

TEST_CASE("FakeQuantize: ema follows the range, corrected for its start", "[ops]") {
  const auto node =
      node_of("y = FakeQuantize(x, %s, %z, %low, %high, %n) method=\"ema\" ema_decay=0.9 signed=0 symmetric=0");
  std::vector<at::Tensor> inputs{at::Tensor(), scalar(1), scalar(0), scalar(0), scalar(0), scalar(0)};
  double biased_low = 0, biased_high = 0;
  for (int step = 1; step <= 5; ++step) {
    const double low = -step, high = 2.0 * step * step;
    inputs[0] = numbers({low, 0.5, high}).to(at::kFloat);
    run_op(node, inputs, Mode::train);
    biased_low = biased_low * 0.9 + 0.1 * low;
    biased_high = biased_high * 0.9 + 0.1 * high;
    const auto correction = 1 - std::pow(0.9, step);
    REQUIRE(inputs[3].item<double>() == Approx(biased_low / correction));
    REQUIRE(inputs[4].item<double>() == Approx(biased_high / correction));
    REQUIRE(inputs[1].item<double>() == Approx((biased_high - biased_low) / correction / 255));
  }
  REQUIRE(inputs[5].item<double>() == 5);
  const auto scale = inputs[1].clone();
  inputs[0] = numbers({-1000, 1000}).to(at::kFloat);
  run_op(node, inputs);
  require_close(inputs[1], scale, 0);
}

TEST_CASE("FakeQuantize: the first ema step is the batch's range, also with a slow decay", "[ops]") {
  const auto node = node_of("y = FakeQuantize(x, %s, %z, %low, %high, %n) method=\"ema\" ema_decay=0.9999");
  std::vector<at::Tensor> inputs{
      numbers({-3, 2}).to(at::kFloat), scalar(1), scalar(0), scalar(0), scalar(0), scalar(0)};
  run_op(node, inputs, Mode::train);
  REQUIRE(inputs[3].item<float>() == -3.0F);
  REQUIRE(inputs[4].item<float>() == 2.0F);
}

TEST_CASE("FakeQuantize: fixed leaves its grid alone in training", "[ops]") {
  const auto node = node_of("y = FakeQuantize(x, %s, %z) bits=4");
  const auto scale = scalar(0.5), zero_point = scalar(1);
  const auto y = run_op(node, {numbers({0.6, 9, -9}).to(at::kFloat), scale, zero_point}, Mode::train)[0];
  require_close(y, numbers({0.5, 3, -4.5}), 0);
  REQUIRE(scale.item<double>() == 0.5);
}

TEST_CASE("FakeQuantize: ema without its ranges is refused", "[ops]") {
  const auto node = node_of("y = FakeQuantize(x, %s, %z) method=\"ema\"");
  const auto infer = [&](const Node& some) {
    std::vector<ops::ValueInfo> inputs{{{2, 3}}, {{}}, {{}}};
    inputs.resize(some.inputs.size(), inputs[1]);
    ops::op_of(some).infer({.node = some, .inputs = inputs});
  };
  require_error([&] { infer(node); }, "method 'ema' needs the inputs range_min, range_max and steps");
  require_error([&] { infer(node_of("y = FakeQuantize(x, %s, %z, %a, %b, %n) method=\"ema\" ema_decay=1.0")); },
                "'ema_decay' is 1", "(0, 1)");
}

TEST_CASE("FakeQuantize: scales that do not fit the value are refused", "[ops]") {
  const auto infer = [](const std::string& attributes, const Shape& value, const Shape& scale) {
    return [=] {
      const auto node = node_of("y = FakeQuantize(%w, %s, %z) " + attributes);
      const std::vector<ops::ValueInfo> inputs{{value}, {scale}, {scale}};
      ops::op_of(node).infer({.node = node, .inputs = inputs});
    };
  };
  infer("axis=0 input_axis=1 group_size=4", {6, 8, 3, 3}, {6, 2})();
  infer("axis=1 input_axis=0 group_size=2", {8, 6}, {6, 4})();
  require_error(infer("axis=0 input_axis=1 group_size=4", {6, 8, 3, 3}, {6}), "input 1 has shape 6, but 12 number(s)");
  require_error(infer("axis=0 input_axis=1 group_size=3", {6, 8, 3, 3}, {6, 2}),
                "groups of 3 do not divide the 8 input channels of a weight of shape 6x8x3x3", "2 would do");
  require_error(infer("axis=0 input_axis=1", {6, 8}, {6}), "groups of 0 do not divide");
  require_error(infer("group_size=2", {6, 8}, {6, 4}),
                "groups of a weight of shape 6x8 with axis -1 and input_axis -1");
  require_error(infer("axis=2", {6, 8}, {6}), "attribute 'axis' is 2, but the value has 2 axes",
                "one grid for the whole");
  require_error(infer("axis=0 format=\"gfpq\"", {6, 8}, {6}), "attribute 'axis' is 0", "'gfpq' have one scale");
  infer("axis=0 format=\"float8_e4m3\"", {6, 8}, {6})();
  require_error(infer("accumulator_bits=40", {6}, {}), "an accumulator of 40 bits");
}
