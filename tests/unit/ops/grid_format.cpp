#include "ops/grid_format.h"

#include "core/file.h"
#include "ops/gfpq.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>

using namespace compress;
using namespace compress::ops;
using namespace compress::test;

namespace {

/// Every format with every width, sign, range, symmetry and scale rule that it has.
std::vector<GridSpec> all_specs() {
  std::vector<GridSpec> specs;
  for (int bits = 2; bits <= 16; ++bits)
    for (const bool is_signed : {true, false})
      for (const bool narrow : {true, false})
        for (const bool symmetric : {true, false})
          for (const auto& [word, rule] : scale_rules())
            specs.push_back({bits, is_signed, narrow, symmetric, GridFormat::integer, rule});
  for (const auto& [word, format] : grid_formats())
    if (const int bits = implied_bits(format); bits > 0) specs.push_back({.bits = bits, .format = format});
  for (const int bits : {8, 16}) specs.push_back({.bits = bits, .format = GridFormat::gfpq});
  specs.push_back({.format = GridFormat::float8_e4m3, .scale_rule = ScaleRule::power_of_two});
  return specs;
}

std::string text_of(const GridSpec& spec) {
  return fmt::format("{} of {} bits, signed {}, narrow {}, symmetric {}, {}", word_of(spec.format), spec.bits,
                     spec.is_signed, spec.narrow, spec.symmetric, word_of(spec.scale_rule));
}

/// A weight of this shape and how it may share scales with this format.
std::vector<GridAxes> all_axes(const GridSpec& spec) {
  if (spec.format == GridFormat::gfpq) return {-1};
  return {-1, 0, 1, {0, 1, 2}, {1, 0, 3}};
}

at::Tensor some_weight() {
  auto weight = wild({6, 4, 3, 3}).mul(2.5).to(at::kFloat);
  weight.select(0, 2).zero_();
  return weight;
}

Grid grid_over(const at::Tensor& x, const GridSpec& spec, GridAxes axes) {
  const auto range = value_range(x, axes);
  return make_grid(range.min, range.max, spec);
}

/// The largest distance of a number inside the range to its neighbour on the grid, as a multiple of half a step.
at::Tensor half_steps(const at::Tensor& x, const at::Tensor& scale, const GridSpec& spec) {
  const auto magnitude = x.abs();
  switch (spec.format) {
  case GridFormat::integer: return scale.mul(0.5);
  case GridFormat::gfpq: return magnitude.mul(std::exp2(1.0 / gfpq_format(spec.bits).steps) - 1);
  case GridFormat::float8_e4m3: return magnitude.div(16).maximum(scale.mul(std::exp2(-10)));
  case GridFormat::float8_e5m2: return magnitude.div(8).maximum(scale.mul(std::exp2(-17)));
  case GridFormat::float16: return magnitude.div(2048).clamp_min(std::exp2(-25));
  case GridFormat::bfloat16: return magnitude.div(256).clamp_min(std::exp2(-134));
  }
  return {};
}

}  // namespace

TEST_CASE("grid format: what is on the grid stays, and zero stays zero", "[ops]") {
  const auto weight = some_weight();
  for (const auto& spec : all_specs())
    for (const auto& axes : all_axes(spec)) {
      INFO(text_of(spec) << ", axis " << axes.axis << ", groups of " << axes.group_size);
      const auto grid = grid_over(weight, spec, axes);
      const auto once = fake_quantize(weight, grid, spec, axes);
      REQUIRE(fake_quantize(once, grid, spec, axes).equal(once));
      if (spec.is_integer() && spec.narrow && !spec.is_signed && spec.symmetric) continue;  // 1 is its lowest integer
      REQUIRE(once.select(0, 2).eq(0).all().item<bool>());
      REQUIRE(fake_quantize(at::zeros({1}), grid_over(weight, spec, -1), spec, -1).item<float>() == 0);
    }
}

TEST_CASE("grid format: larger numbers never get smaller ones", "[ops]") {
  const auto x = at::linspace(-3, 3, 4001, at::kFloat);
  for (const auto& spec : all_specs()) {
    INFO(text_of(spec));
    const auto y = fake_quantize(x, grid_over(x, spec, -1), spec, -1);
    REQUIRE(y.diff().ge(0).all().item<bool>());
  }
}

TEST_CASE("grid format: inside the range the error is at most half a step", "[ops]") {
  const auto weight = some_weight();
  for (const auto& spec : all_specs()) {
    if (spec.is_integer() && spec.narrow && !spec.is_signed && spec.symmetric) continue;
    for (const auto& axes : all_axes(spec)) {
      INFO(text_of(spec) << ", axis " << axes.axis << ", groups of " << axes.group_size);
      // An unsigned symmetric grid covers positive numbers only.
      const auto covered = spec.is_integer() && !spec.is_signed && spec.symmetric ? weight.abs() : weight;
      const auto grid = grid_over(covered, spec, axes);
      const auto error = fake_quantize(covered, grid, spec, axes).sub(covered).abs();
      // Half a step more at the end of a range whose zero point was rounded; a little for single precision's division.
      const double slack = (spec.is_integer() && !spec.symmetric ? 2 : 1) + 0.02;
      const auto bound = half_steps(covered, along_axes(grid.scale, axes, covered), spec).mul(slack);
      auto small = at::zeros({});
      if (spec.format == GridFormat::gfpq) small = along_axes(grid.scale, axes, covered);  // of what becomes zero
      REQUIRE(error.le(bound.maximum(small)).all().item<bool>());
    }
  }
}

TEST_CASE("grid format: power-of-two scales are powers of two and cover the range", "[ops]") {
  const auto weight = some_weight();
  for (auto spec : all_specs()) {
    if (spec.scale_rule != ScaleRule::power_of_two) continue;
    const auto grid = grid_over(weight, spec, 0);
    spec.scale_rule = ScaleRule::exact;
    const auto exact = grid_over(weight, spec, 0);
    REQUIRE(grid.scale.log2().eq(grid.scale.log2().round()).all().item<bool>());
    REQUIRE(grid.scale.ge(exact.scale).all().item<bool>());
    REQUIRE(grid.scale.lt(exact.scale.mul(2)).all().item<bool>());
  }
}

TEST_CASE("grid format: a constant is met exactly where the grid ends there, all zeros have a usable scale", "[ops]") {
  for (const double value : {2.5, -2.5, 1e-6, 1e6}) {
    const auto x = at::full({4, 3}, value, at::kFloat);
    const GridSpec asymmetric{.is_signed = false, .symmetric = false}, narrow{.narrow = true};
    for (const auto& spec : {asymmetric, narrow})
      require_close(fake_quantize(x, grid_over(x, spec, 0), spec, 0), x, std::abs(value) * 1e-6);
  }
  for (const auto& spec : all_specs()) {
    INFO(text_of(spec));
    const auto nothing = at::zeros({4, 3});
    const auto grid = grid_over(nothing, spec, -1);
    REQUIRE(grid.scale.gt(0).all().item<bool>());
    REQUIRE(grid.scale.isfinite().all().item<bool>());
    if (!(spec.narrow && !spec.is_signed && spec.symmetric))
      REQUIRE(fake_quantize(nothing, grid, spec, -1).eq(0).all().item<bool>());
  }
}

TEST_CASE("grid format: infinities go to the ends of the range, and carry no gradient", "[ops]") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto& spec : all_specs()) {
    INFO(text_of(spec));
    const auto grid = make_grid(numbers({-1}).to(at::kFloat), numbers({1}).to(at::kFloat), spec);
    auto x = numbers({infinity, -infinity, 1e30, 0.25}).to(at::kFloat).requires_grad_(true);
    const auto y = fake_quantize(x, grid, spec, -1);
    REQUIRE(y.isfinite().all().item<bool>());
    REQUIRE(y[0].item<float>() >= y[3].item<float>());
    y.sum().backward();
    REQUIRE(x.grad()[0].item<float>() == 0);
    REQUIRE(x.grad()[1].item<float>() == 0);
    REQUIRE((spec.format == GridFormat::bfloat16 || x.grad()[2].item<float>() == 0));
    REQUIRE(x.grad()[3].item<float>() == 1);
  }
}

TEST_CASE("grid format: not-a-number stays visible, but is GFPQ's zero as in the vendor's library", "[ops]") {
  const auto x = numbers({std::nan(""), 1}).to(at::kFloat);
  for (const auto& spec : all_specs()) {
    INFO(text_of(spec));
    const auto grid = make_grid(numbers({-1}).to(at::kFloat), numbers({1}).to(at::kFloat), spec);
    const auto y = fake_quantize(x, grid, spec, -1);
    if (spec.format == GridFormat::gfpq)
      REQUIRE(y[0].item<float>() == 0);
    else
      REQUIRE(y.isnan()[0].item<bool>());
  }
}

TEST_CASE("grid format: every weight keeps its gradient on the grid of its own range", "[ops]") {
  for (const auto& spec : all_specs()) {
    if (spec.is_integer() && !spec.is_signed && spec.symmetric) continue;  // negative numbers are outside
    for (const auto& axes : all_axes(spec)) {
      INFO(text_of(spec) << ", axis " << axes.axis << ", groups of " << axes.group_size);
      auto weight = some_weight().requires_grad_(true);
      fake_quantize(weight, grid_over(weight, spec, axes), spec, axes).mul(3).sum().backward();
      REQUIRE(weight.grad().eq(3).all().item<bool>());
    }
  }
}

TEST_CASE("grid format: a gfpq grid gives the vendor's numbers, bit for bit", "[ops][golden]") {
  const auto golden = nlohmann::json::parse(read_file("tests/golden/gfpq.json"));
  for (const auto& entry : golden.at("cases")) {
    const GridSpec spec{.bits = entry.at("bits"), .format = GridFormat::gfpq};
    const auto x = numbers(entry.at("x").get<std::vector<double>>()).to(at::kFloat);
    const auto grid = grid_over(x, spec, -1);
    REQUIRE(mark_of_scale(grid.scale, spec.bits) == entry.at("mark"));
    const int64_t mark = entry.at("mark");
    REQUIRE(fake_quantize(x, grid, spec, -1).equal(gfpq_quantize(x, mark, spec.bits)));
    REQUIRE(quantized(x, grid, spec, -1).equal(gfpq_encode(x, mark, spec.bits)));
  }
}

TEST_CASE("grid format: every mark comes back from its scale", "[ops]") {
  for (const auto& [bits, low, high] : {std::tuple(8, -511, 511), {16, -126 * 128, 127 * 128}})
    for (int mark = low; mark <= high; ++mark) {
      const auto scale = at::scalar_tensor(std::exp2(static_cast<double>(mark) / gfpq_format(bits).steps), at::kFloat);
      if (mark_of_scale(scale, bits) != mark) FAIL(bits << " bits, mark " << mark);
    }
  // Numbers whose lowest level single precision cannot hold: the scale stays where it can.
  const GridSpec wide{.bits = 16, .format = GridFormat::gfpq};
  const auto tiny = numbers({1e-38}).to(at::kFloat);
  REQUIRE(make_grid(tiny.neg(), tiny, wide).scale.item<double>() == std::exp2(-126));
}

TEST_CASE("grid format: 8-bit floating point is what QuantizeLinear and DequantizeLinear compute", "[ops]") {
  const auto x = wild({5, 40}).mul(4).to(at::kFloat);
  for (const auto format : {GridFormat::float8_e4m3, GridFormat::float8_e5m2}) {
    const GridSpec spec{.format = format};
    const auto grid = grid_over(x, spec, 0);
    const auto type = format == GridFormat::float8_e4m3 ? at::kFloat8_e4m3fn : at::kFloat8_e5m2;
    const auto zero = grid.zero_point.to(type);
    const auto q = run_op(node_of("q = QuantizeLinear(x, s, z) axis=0"), {x, grid.scale, zero})[0];
    REQUIRE(q.to(at::kFloat).equal(quantized(x, grid, spec, 0)));
    const auto y = run_op(node_of("y = DequantizeLinear(x, s, z) axis=0"), {q, grid.scale, zero})[0];
    REQUIRE(y.equal(fake_quantize(x, grid, spec, 0)));
  }
}

TEST_CASE("grid format: attributes and specification say the same", "[ops]") {
  for (const auto& spec : all_specs()) {
    Node node{.name = "q", .op = "FakeQuantize"};
    set_grid(node.attributes, spec);
    REQUIRE(grid_spec(node) == spec);
  }
  REQUIRE(grid_spec(node_of("y = FakeQuantize(x, %s, %z) format=\"float16\"")).bits == 16);
  REQUIRE((grid_axes(node_of("y = FakeQuantize(%w, %s, %z) axis=1 input_axis=0 group_size=4")) == GridAxes(1, 0, 4)));
}

TEST_CASE("grid format: what does not go together is refused", "[ops]") {
  const auto read = [](const std::string& attributes) {
    return [attributes] { grid_spec(node_of("y = FakeQuantize(x, %s, %z) " + attributes)); };
  };
  for (const auto* bits : {"1", "33", "0", "-8"})
    require_error(read(std::string("bits=") + bits), fmt::format("attribute 'bits' is {}", bits),
                  "allowed are 2 to 16, and up to 32 for biases and accumulators");
  require_error(read("bits=1"), "reading the grid of node 'y' (FakeQuantize)");
  require_error(read("bits=4 format=\"gfpq\""), "the number format GFPQ has 8 or 16 bits, not 4");
  require_error(read("bits=8 format=\"bfloat16\""), "a grid of format 'bfloat16' with 8 bits", "it has 16 bits");
  require_error(read("signed=0 format=\"float8_e4m3\""), "'float8_e4m3' that is unsigned, narrow or asymmetric",
                "these are properties of integers");
  require_error(read("format=\"float16\" scale_rule=\"power_of_two\""), "'float16' with scale_rule 'power_of_two'",
                "its scale follows a rule of its own");
  require_error(read("format=\"float8_e4m4\""), "unknown number format 'float8_e4m4'", "did you mean 'float8_e4m3'?",
                "allowed are integer, gfpq, float8_e4m3, float8_e5m2, float16 and bfloat16");
  require_error(read("scale_rule=\"power_of_2\""), "unknown scale rule 'power_of_2'", "did you mean 'power_of_two'?");
  const auto two = numbers({1, 2});
  require_error([&] { make_grid(two.neg(), two, {.format = GridFormat::gfpq}); },
                "the number format gfpq with 2 scales", "neither per channel nor in groups");
}
