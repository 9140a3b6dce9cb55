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

/// Conv's and linear layers' axes, or MatMul's and ConvTranspose's.
GridAxes groups_of(int64_t size, bool inputs_first = false) {
  return {inputs_first ? 1 : 0, inputs_first ? 0 : 1, size};
}

Grid group_grid(const at::Tensor& weight, GridAxes axes, const GridSpec& spec) {
  const auto range = value_range(weight, axes);
  return make_grid(range.min, range.max, spec);
}

constexpr GridSpec kFourBits{.bits = 4, .symmetric = false};

}  // namespace

TEST_CASE("weight groups: input channels of one output lie together, with their kernels", "[ops]") {
  const auto linear = at::arange(24, at::kDouble).reshape({3, 8});
  require_close(in_groups(linear, groups_of(4))[1][1], numbers({12, 13, 14, 15}), 0);
  const auto conv = at::arange(2 * 4 * 9, at::kDouble).reshape({2, 4, 3, 3});
  const auto groups = in_groups(conv, groups_of(2));
  REQUIRE((groups.sizes().vec() == Shape{2, 2, 18}));
  require_close(groups[1][0], conv[1].slice(0, 0, 2).flatten(), 0);
  const auto product = linear.t();
  require_close(in_groups(product, groups_of(4, true)), in_groups(linear, groups_of(4)), 0);
  require_close(in_groups(conv.transpose(0, 1), groups_of(2, true)), groups, 0);
}

TEST_CASE("weight groups: each group is rounded on a grid of its own", "[ops]") {
  const auto weight = wild({6, 8, 3}).to(at::kFloat);
  const auto grid = group_grid(weight, groups_of(4), kFourBits);
  REQUIRE((grid.scale.sizes().vec() == Shape{6, 2}));
  const auto rounded = fake_quantize(weight, grid, kFourBits, groups_of(4));
  for (int64_t output = 0; output < 6; ++output)
    for (int64_t group = 0; group < 2; ++group) {
      const auto part = weight[output].slice(0, 4 * group, 4 * group + 4);
      const auto own = make_grid(part.min(), part.max(), kFourBits);
      require_close(rounded[output].slice(0, 4 * group, 4 * group + 4), fake_quantize(part, own, kFourBits, -1), 0);
    }
}

TEST_CASE("weight groups: one group is per channel, groups of one channel are per row of the kernel", "[ops]") {
  const auto weight = wild({4, 6}).to(at::kFloat);
  const auto whole = group_grid(weight, groups_of(6), {});
  const auto range = value_range(weight, 0);
  require_close(whole.scale.flatten(), make_grid(range.min, range.max, {}).scale, 0);
  REQUIRE((group_grid(weight, groups_of(1), {}).scale.sizes().vec() == Shape{4, 6}));
}

TEST_CASE("weight groups: smaller groups, smaller error", "[ops]") {
  const auto weight = wild({8, 64}).pow(5);
  double last = 1e9;
  for (const int64_t size : {64, 16, 4}) {
    const auto grid = group_grid(weight, groups_of(size), kFourBits);
    const auto error = fake_quantize(weight, grid, kFourBits, groups_of(size)).sub(weight).norm();
    REQUIRE(error.item<double>() < last);
    last = error.item<double>();
  }
}

TEST_CASE("weight groups: the gradient passes straight through", "[ops]") {
  for (const auto axes : {groups_of(2), groups_of(2, true)}) {
    auto weight = wild({4, 6}).requires_grad_(true);
    const auto grid = group_grid(weight, axes, {});
    fake_quantize(weight, grid, {}, axes).mul(3).sum().backward();
    REQUIRE(weight.grad().eq(3).all().item<bool>());
  }
}

TEST_CASE("weight groups: QuantizeLinear and DequantizeLinear with blocks give the same numbers", "[ops]") {
  for (const auto axes : {groups_of(2), groups_of(2, true)}) {
    const auto weight = wild({4, 6, 3, 2}).to(at::kFloat);
    const GridSpec spec{.symmetric = false};
    const auto grid = group_grid(weight, axes, spec);
    const auto scale = group_scales_of_onnx(grid.scale, weight, axes).contiguous();
    const auto zero_point = group_scales_of_onnx(grid.zero_point, weight, axes).contiguous().to(at::kChar);
    const auto attributes = fmt::format("(x, s, z) axis={} block_size=2", axes.input_axis);
    const auto q = run_op(node_of("q = QuantizeLinear" + attributes), {weight, scale, zero_point})[0];
    const auto real = run_op(node_of("y = DequantizeLinear" + attributes), {q, scale, zero_point})[0];
    require_close(real, fake_quantize(weight, grid, spec, axes), 0);
  }
}

TEST_CASE("weight groups: all layouts of memory give the same numbers", "[ops]") {
  const auto weight = wild({4, 6, 3, 2}).to(at::kFloat);
  const GridSpec spec{.symmetric = false};
  const auto grid = group_grid(weight, groups_of(3), spec);
  const auto expected = fake_quantize(weight, grid, spec, groups_of(3));
  require_close(fake_quantize(weight.contiguous(at::MemoryFormat::ChannelsLast), grid, spec, groups_of(3)), expected,
                0);
  const auto other = weight.transpose(0, 1);
  require_close(fake_quantize(other, grid, spec, groups_of(3, true)), expected.transpose(0, 1), 0);
  require_close(
      fake_quantize(weight.to(at::kDouble), {grid.scale.to(at::kDouble), grid.zero_point}, spec, groups_of(3)),
      expected, 1e-6);
}

TEST_CASE("weight groups: sizes that do not divide the input channels are refused", "[ops]") {
  const auto weight = wild({4, 12, 3, 3});
  require_error([&] { in_groups(weight, groups_of(8)); },
                "groups of 8 do not divide the 12 input channels of a weight of shape 4x12x3x3",
                "group sizes are divisors of 12; 6 would do");
  require_error([&] { in_groups(weight, groups_of(0)); }, "groups of 0 do not divide", "1 would do");
  require_error([&] { in_groups(weight, groups_of(99)); }, "groups of 99 do not divide", "12 would do");
  require_error([&] { in_groups(weight, groups_of(3, true)); }, "the 4 input channels");
  require_error([&] { check_groups({2}, groups_of(1)); }, "a weight of shape 2 has no input channels",
                "quantise it per tensor or per channel");
  for (const GridAxes& axes : {GridAxes(0, 0, 2), GridAxes(-1, 1, 2), GridAxes(0, 4, 2)})
    require_error([&] { in_groups(weight, axes); },
                  fmt::format("axis {} and input_axis {}", axes.axis, axes.input_axis),
                  "the axes of its output and of its input channels");
}
