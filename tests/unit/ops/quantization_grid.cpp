#include "ops/quantization_grid.h"

#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace compress;
using namespace compress::ops;
using namespace compress::test;

namespace {

std::pair<double, double> grid_of(double min, double max, const GridSpec& spec) {
  const auto grid = make_grid(numbers({min}), numbers({max}), spec);
  return {grid.scale.item<double>(), grid.zero_point.item<double>()};
}

}  // namespace

TEST_CASE("grid: the integers of a specification", "[ops]") {
  const auto bounds = [](GridSpec spec) { return std::pair(spec.low(), spec.high()); };
  REQUIRE((bounds({}) == std::pair<int64_t, int64_t>(-128, 127)));
  REQUIRE((bounds({.narrow = true}) == std::pair<int64_t, int64_t>(-127, 127)));
  REQUIRE((bounds({.is_signed = false}) == std::pair<int64_t, int64_t>(0, 255)));
  REQUIRE((bounds({.bits = 4, .is_signed = false, .narrow = true}) == std::pair<int64_t, int64_t>(1, 15)));
}

TEST_CASE("grid: symmetric scales follow the largest magnitude", "[ops]") {
  REQUIRE((grid_of(-2, 1, {.narrow = true}) == std::pair(2.0 / 127, 0.0)));
  REQUIRE((grid_of(-2, 1, {}) == std::pair(2.0 / 127.5, 0.0)));
  REQUIRE((grid_of(0, 3, {.is_signed = false}) == std::pair(3.0 / 255, 0.0)));
}

TEST_CASE("grid: an asymmetric grid holds zero exactly, also when the range does not", "[ops]") {
  const GridSpec unsigned8{.is_signed = false, .symmetric = false};
  REQUIRE((grid_of(-1, 4, unsigned8) == std::pair(5.0 / 255, 51.0)));
  REQUIRE((grid_of(2, 4, unsigned8) == std::pair(4.0 / 255, 0.0)));
  REQUIRE((grid_of(-4, -2, unsigned8) == std::pair(4.0 / 255, 255.0)));
  REQUIRE((grid_of(-1, 4, {.symmetric = false}) == std::pair(5.0 / 255, -77.0)));
}

TEST_CASE("grid: an empty range has scale 1", "[ops]") {
  REQUIRE((grid_of(0, 0, {}) == std::pair(1.0, 0.0)));
  REQUIRE((grid_of(0, 0, {.is_signed = false, .symmetric = false}) == std::pair(1.0, 0.0)));
}

TEST_CASE("grid: a format's attributes replace those of the one before", "[ops]") {
  Node node{.name = "q", .op = "FakeQuantize"};
  const GridSpec specs[] = {{.bits = 8, .is_signed = false, .symmetric = false, .scale_rule = ScaleRule::power_of_two},
                            {.bits = 8, .format = GridFormat::float8_e4m3},
                            {.bits = 8, .format = GridFormat::gfpq},
                            {.bits = 16, .format = GridFormat::float16},
                            {.bits = 6, .narrow = true}};
  for (const auto& spec : specs) {
    set_grid(node.attributes, spec);
    REQUIRE(grid_spec(node) == spec);
  }
  REQUIRE_FALSE(node.attributes.has("format"));
  set_grid(node.attributes, specs[2]);
  for (const auto* key : {"signed", "narrow_range", "symmetric", "scale_rule"}) REQUIRE_FALSE(node.attributes.has(key));
}

TEST_CASE("grid: the range of a grid makes that grid again", "[ops]") {
  for (const GridSpec spec :
       {GridSpec{}, GridSpec{.narrow = true}, GridSpec{.is_signed = false}, GridSpec{.bits = 3, .symmetric = false},
        GridSpec{.is_signed = false, .symmetric = false}}) {
    const auto grid = make_grid(numbers({-0.3, 0}), numbers({0.7, 2}), spec);
    const auto range = grid_range(grid, spec);
    const auto again = make_grid(range.min, range.max, spec);
    require_close(again.scale, grid.scale, 1e-12);
    require_close(again.zero_point, grid.zero_point, 0);
  }
  REQUIRE(symmetric_steps({}) == 127.5);
  REQUIRE(symmetric_steps({.narrow = true}) == 127);
  REQUIRE(symmetric_steps({.is_signed = false}) == 255);
}

TEST_CASE("grid: ranges of everything and along an axis", "[ops]") {
  const auto x = numbers({1, -2, 3, 4, 5, -6}).reshape({2, 3});
  REQUIRE(value_range(x, -1).min.item<double>() == -6);
  require_close(value_range(x, 0).max, numbers({3, 5}), 0);
  require_close(value_range(x, 1).min, numbers({1, -2, -6}), 0);
  require_close(value_range(numbers({1, -2}), 0).min, numbers({1, -2}), 0);
}

TEST_CASE("grid: integers are rounded half to even by division and clamped", "[ops]") {
  const Grid grid{at::scalar_tensor(0.5), at::scalar_tensor(1.0)};
  const auto x = numbers({0.25, 0.75, -0.25, 1.25, 100, -100});
  require_close(quantized(x, grid, {.bits = 4}, -1), numbers({1, 3, 1, 3, 7, -8}), 0);
}

TEST_CASE("grid: simulated values are (q - zero_point) * scale, in one pass and by tensors alike", "[ops]") {
  const auto x = wild({4, 6, 5, 3}).mul(3).to(at::kFloat);
  const auto scale = wild_positive({4}, 1).mul(0.01).to(at::kFloat);
  const auto zero_point = numbers({3, -7, 0, 100}).to(at::kFloat);
  const GridSpec spec{.symmetric = false};
  const auto by_definition = [&](const at::Tensor& value, const Grid& grid, int64_t axis) {
    return quantized(value, grid, spec, axis)
        .sub(along_axis(grid.zero_point, axis, 4))
        .mul(along_axis(grid.scale, axis, 4));
  };
  for (const auto& value : {x, x.contiguous(at::MemoryFormat::ChannelsLast), x.slice(3, 0, 2)}) {
    const Grid per_channel{scale, zero_point}, whole{scale[0], zero_point[0]};
    require_close(fake_quantize(value, per_channel, spec, 0), by_definition(value, per_channel, 0), 0);
    require_close(fake_quantize(value, whole, spec, -1), by_definition(value, whole, -1), 0);
    const auto other_axis = value.transpose(0, 1);
    require_close(fake_quantize(other_axis, per_channel, spec, 1), by_definition(other_axis, per_channel, 1), 0);
  }
}

TEST_CASE("grid: not-a-number stays visible", "[ops]") {
  const auto x = numbers({std::nan(""), 1}).to(at::kFloat);
  REQUIRE(fake_quantize(x, {at::scalar_tensor(0.5), at::scalar_tensor(0.0)}, {}, -1).isnan()[0].item<bool>());
}

TEST_CASE("grid: the gradient passes inside the range and stops outside", "[ops]") {
  for (const auto type : {at::kFloat, at::kDouble}) {
    auto x = numbers({-100, -63.9, 0.3, 63.75, 63.8, 100}).to(type).requires_grad_(true);
    fake_quantize(x, {at::scalar_tensor(0.5), at::scalar_tensor(0.0)}, {}, -1).mul(3).sum().backward();
    require_close(x.grad(), numbers({0, 3, 3, 3, 0, 0}), 0);
  }
}

TEST_CASE("grid: the largest weight of a symmetric grid keeps its gradient", "[ops]") {
  for (const auto type : {at::kFloat, at::kDouble})
    for (const int bits : {4, 8, 16}) {
      auto x = wild_positive({200, 3}).to(type).requires_grad_(true);
      const auto range = value_range(x, 0);
      const GridSpec spec{.bits = bits};
      fake_quantize(x, make_grid(range.min, range.max, spec), spec, 0).sum().backward();
      REQUIRE(x.grad().eq(1).all().item<bool>());
    }
}
