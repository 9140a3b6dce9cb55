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
  const std::vector<ops::ValueInfo> inputs{{{2, 3}}, {{}}, {{}}};
  const auto infer = [&](const Node& some) { ops::op_of(some).infer({.node = some, .inputs = inputs}); };
  require_error([&] { infer(node); }, "method 'ema' needs the inputs range_min, range_max and steps");
  require_error([&] { infer(node_of("y = FakeQuantize(x, %s, %z) ema_decay=1.0")); }, "'ema_decay' is 1", "(0, 1)");
}
