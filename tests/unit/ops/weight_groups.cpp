#include "ops/weight_groups.h"

#include "support/check_error.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::ops;
using namespace compress::test;

namespace {

constexpr WeightAxes kOutputsFirst{}, kInputsFirst{.output = 1, .input = 0};
constexpr GridSpec kFourBits{.bits = 4, .symmetric = false};

}  // namespace

TEST_CASE("weight groups: input channels of one output lie together, with their kernels", "[ops]") {
  const auto linear = at::arange(24, at::kDouble).reshape({3, 8});
  require_close(in_groups(linear, kOutputsFirst, 4)[1][1], numbers({12, 13, 14, 15}), 0);
  const auto conv = at::arange(2 * 4 * 9, at::kDouble).reshape({2, 4, 3, 3});
  const auto groups = in_groups(conv, kOutputsFirst, 2);
  REQUIRE((groups.sizes().vec() == Shape{2, 2, 18}));
  require_close(groups[1][0], conv[1].slice(0, 0, 2).flatten(), 0);
  const auto product = linear.t();
  require_close(in_groups(product, kInputsFirst, 4), in_groups(linear, kOutputsFirst, 4), 0);
  for (const auto& [weight, axes] : {std::pair(linear, kOutputsFirst), {conv, kOutputsFirst}, {conv, kInputsFirst}})
    require_close(out_of_groups(in_groups(weight, axes, 2), weight, axes), weight, 0);
}

TEST_CASE("weight groups: each group is rounded on a grid of its own", "[ops]") {
  const auto weight = wild({6, 8, 3}).to(at::kFloat);
  const auto grid = make_group_grid(weight, kOutputsFirst, 4, kFourBits);
  REQUIRE((grid.scale.sizes().vec() == Shape{6, 2}));
  const auto rounded = fake_quantize_groups(weight, grid, kOutputsFirst, 4, kFourBits);
  for (int64_t output = 0; output < 6; ++output)
    for (int64_t group = 0; group < 2; ++group) {
      const auto part = weight[output].slice(0, 4 * group, 4 * group + 4);
      const auto own = make_grid(part.min(), part.max(), kFourBits);
      require_close(rounded[output].slice(0, 4 * group, 4 * group + 4), fake_quantize(part, own, kFourBits, -1), 0);
    }
}

TEST_CASE("weight groups: one group is per channel, groups of one channel are per row of the kernel", "[ops]") {
  const auto weight = wild({4, 6}).to(at::kFloat);
  const auto whole = make_group_grid(weight, kOutputsFirst, 6, {});
  const auto range = value_range(weight, 0);
  require_close(whole.scale.flatten(), make_grid(range.min, range.max, {}).scale, 0);
  REQUIRE((make_group_grid(weight, kOutputsFirst, 1, {}).scale.sizes().vec() == Shape{4, 6}));
}

TEST_CASE("weight groups: smaller groups, smaller error", "[ops]") {
  const auto weight = wild({8, 64}).pow(5);
  double last = 1e9;
  for (const int64_t size : {64, 16, 4}) {
    const auto grid = make_group_grid(weight, kOutputsFirst, size, kFourBits);
    const auto error = fake_quantize_groups(weight, grid, kOutputsFirst, size, kFourBits).sub(weight).norm();
    REQUIRE(error.item<double>() < last);
    last = error.item<double>();
  }
}

TEST_CASE("weight groups: the gradient passes straight through", "[ops]") {
  for (const auto axes : {kOutputsFirst, kInputsFirst}) {
    auto weight = wild({4, 6}).requires_grad_(true);
    const auto grid = make_group_grid(weight, axes, 2, {});
    fake_quantize_groups(weight, grid, axes, 2, {}).mul(3).sum().backward();
    REQUIRE(weight.grad().eq(3).all().item<bool>());
  }
}

TEST_CASE("weight groups: QuantizeLinear and DequantizeLinear with blocks give the same numbers", "[ops]") {
  for (const auto axes : {kOutputsFirst, kInputsFirst}) {
    const auto weight = wild({4, 6, 3, 2}).to(at::kFloat);
    const GridSpec spec{.symmetric = false};
    const auto grid = make_group_grid(weight, axes, 2, spec);
    const auto scale = group_scales_of_onnx(grid.scale, weight, axes).contiguous();
    const auto zero_point = group_scales_of_onnx(grid.zero_point, weight, axes).contiguous().to(at::kChar);
    const auto attributes = fmt::format("(x, s, z) axis={} block_size=2", axes.input);
    const auto q = run_op(node_of("q = QuantizeLinear" + attributes), {weight, scale, zero_point})[0];
    const auto real = run_op(node_of("y = DequantizeLinear" + attributes), {q, scale, zero_point})[0];
    require_close(real, fake_quantize_groups(weight, grid, axes, 2, spec), 0);
  }
}

TEST_CASE("weight groups: sizes that do not divide the input channels are refused", "[ops]") {
  const auto weight = wild({4, 12, 3, 3});
  require_error([&] { in_groups(weight, kOutputsFirst, 8); },
                "groups of 8 do not divide the 12 input channels of a weight of shape 4x12x3x3",
                "group sizes are divisors of 12; 6 would do");
  require_error([&] { in_groups(weight, kOutputsFirst, 0); }, "groups of 0 do not divide", "1 would do");
  require_error([&] { in_groups(weight, kOutputsFirst, 99); }, "groups of 99 do not divide", "12 would do");
  require_error([&] { in_groups(weight, kInputsFirst, 3); }, "the 4 input channels");
  require_error(
      [&] {
        in_groups(numbers({1, 2}), kOutputsFirst, 1);
      },
      "a weight of shape 2 has no input channels", "quantise it per tensor or per channel");
}
