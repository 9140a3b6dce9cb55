#include "ops/shape.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/constant_pad_nd.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;
using ops::Mode;

namespace {

at::Tensor run(const std::string& text, const std::vector<at::Tensor>& inputs) {
  return run_op(node_of(text), inputs)[0];
}

at::Tensor counting(const Shape& shape) {
  return at::arange(ops::elements(shape), at::kDouble).reshape(shape);
}

}  // namespace

TEST_CASE("Slice: negative, clamped and backward ranges", "[ops]") {
  const auto x = counting({6});
  require_close(run("y = Slice(x) starts=[-3] ends=[100]", {x}), numbers({3, 4, 5}), 0);
  require_close(run("y = Slice(x) starts=[-100] ends=[-4]", {x}), numbers({0, 1}), 0);
  require_close(run("y = Slice(x) starts=[1] ends=[6] steps=[2]", {x}), numbers({1, 3, 5}), 0);
  require_close(run("y = Slice(x) starts=[-1] ends=[-9223372036854775808] steps=[-2]", {x}), numbers({5, 3, 1}), 0);
  require_close(run("y = Slice(x) starts=[0] ends=[9223372036854775807] steps=[9223372036854775807]", {x}),
                numbers({0}), 0);
  REQUIRE(run("y = Slice(x) starts=[4] ends=[2]", {x}).numel() == 0);
}

TEST_CASE("Pad: each mode, and negative pads crop", "[ops]") {
  const auto x = counting({3});
  require_close(run("y = Pad(x) pads=[2,1] value=7.0", {x}), numbers({7, 7, 0, 1, 2, 7}), 0);
  require_close(run("y = Pad(x) pads=[2,1] mode=\"edge\"", {x}), numbers({0, 0, 0, 1, 2, 2}), 0);
  require_close(run("y = Pad(x) pads=[2,1] mode=\"reflect\"", {x}), numbers({2, 1, 0, 1, 2, 1}), 0);
  require_close(run("y = Pad(x) pads=[2,1] mode=\"wrap\"", {x}), numbers({1, 2, 0, 1, 2, 0}), 0);
  require_close(run("y = Pad(x) pads=[-1,1]", {x}), numbers({1, 2, 0}), 0);
}

TEST_CASE("AveragePool: pads that LibTorch cannot express count as they should", "[ops]") {
  const auto x = wild({2, 3, 6, 6});
  const auto uneven =
      run("y = AveragePool(x) kernel_shape=[3,3] strides=[2,2] pads=[0,0,1,1] count_include_pad=1", {x});
  require_close(uneven, at::avg_pool2d(at::constant_pad_nd(x, {0, 1, 0, 1}, 0), {3, 3}, {2, 2}), 1e-12);
  const auto ones = x.new_ones({1, 1, 2, 2});
  require_close(run("y = AveragePool(x) kernel_shape=[2,2] pads=[1,0,0,0]", {ones}), x.new_ones({1, 1, 2, 1}), 0);
  require_close(run("y = AveragePool(x) kernel_shape=[2,2] pads=[1,0,0,0] count_include_pad=1", {ones}),
                numbers({0.5, 1}).reshape({1, 1, 2, 1}), 0);
}

TEST_CASE("MaxPool: uneven pads never win", "[ops]") {
  const auto x = counting({1, 1, 2, 2}).sub(10);
  require_close(run("y = MaxPool(x) kernel_shape=[2,2] pads=[0,0,1,1]", {x}),
                numbers({-7, -7, -7, -7}).reshape({1, 1, 2, 2}), 0);
}

TEST_CASE("MaxPool: with ceil_mode, windows that would start in the padding are left out", "[ops]") {
  const auto x = counting({1, 1, 4, 4});
  REQUIRE(run("y = MaxPool(x) kernel_shape=[1,1] strides=[3,3] pads=[0,0,0,0] ceil_mode=1", {x}).size(3) == 2);
  REQUIRE(run("y = MaxPool(x) kernel_shape=[2,2] strides=[3,3] pads=[0,0,2,2] ceil_mode=1", {x}).size(3) == 2);
}

TEST_CASE("BatchNormalization: training updates the running statistics by ONNX's momentum", "[ops]") {
  const auto x = wild({4, 2, 3, 3});
  const auto mean = numbers({1, 2}), variance = numbers({3, 4});
  const auto y = run_op(node_of("y = BatchNormalization(x, %g, %b, %m, %v) momentum=0.75"),
                        {x, numbers({1, 1}), numbers({0, 0}), mean, variance}, Mode::train)[0];
  const auto flat = x.transpose(0, 1).flatten(1);
  require_close(mean, numbers({0.75, 1.5}).add(flat.mean(1).mul(0.25)), 1e-12);
  require_close(variance, numbers({2.25, 3}).add(flat.var(1).mul(0.25)), 1e-12);
  require_close(y.transpose(0, 1).flatten(1).mean(1), numbers({0, 0}), 1e-12);
}

TEST_CASE("Dropout: training clears a share and enlarges the rest, evaluation does nothing", "[ops]") {
  const auto node = node_of("y = Dropout(x) ratio=0.25");
  const auto x = wild_positive({10000});
  require_close(run_op(node, {x})[0], x, 0);
  const auto y = run_op(node, {x}, Mode::train)[0];
  const auto kept = y.ne(0);
  REQUIRE(kept.to(at::kDouble).mean().item<double>() == Approx(0.75).margin(0.03));
  require_close(y.masked_select(kept), x.masked_select(kept).div(0.75), 1e-12);
}

TEST_CASE("Div: integers are divided towards zero", "[ops]") {
  require_close(run("y = Div(a, b)", {integers({7, -7}), integers({2, 2})}), integers({3, -3}), 0);
}

TEST_CASE("QuantizeLinear: division, half to even, saturation; DequantizeLinear back", "[ops]") {
  const auto scale = at::scalar_tensor(0.5, at::kDouble);
  const auto x = numbers({0.25, 0.75, -0.25, 1000, -1000});
  require_close(run("y = QuantizeLinear(x, %s)", {x, scale}), integers({0, 2, 0, 255, 0}), 0);
  const auto zero_point = at::scalar_tensor(-3, at::kChar);
  const auto q = run("y = QuantizeLinear(x, %s, %z)", {x, scale, zero_point});
  REQUIRE(q.scalar_type() == at::kChar);
  require_close(q, integers({-3, -1, -3, 127, -128}), 0);
  require_close(run("y = DequantizeLinear(x, %s, %z)", {q, scale, zero_point}), numbers({0, 1, 0, 65, -62.5}), 0);
  REQUIRE(run("y = QuantizeLinear(x, %s) output_dtype=4", {x, scale})[3].item<int64_t>() == 2000);
}

TEST_CASE("shape operators compute what exported graphs ask for", "[ops]") {
  const auto x = wild({2, 3, 4});
  require_close(run("y = Shape(x) start=-2", {x}), integers({3, 4}), 0);
  require_close(run("y = Gather(x, %i)", {integers({5, 6, 7}), integers({-1})}), integers({7}), 0);
  REQUIRE(run("y = Gather(x, %i)", {integers({5, 6, 7}), at::scalar_tensor(1, at::kLong)}).dim() == 0);
  const auto number = [](int64_t value) { return at::scalar_tensor(value, at::kLong); };
  require_close(run("y = Range(a, b, c)", {number(1), number(8), number(3)}), integers({1, 4, 7}), 0);
  REQUIRE(run("y = ConstantOfShape() shape=[2] value=3 dtype=7", {}).scalar_type() == at::kLong);
  REQUIRE(run("y = Constant() value_float=2.5", {}).dim() == 0);
  REQUIRE(run("y = Constant() value_ints=[2]", {}).dim() == 1);
}
