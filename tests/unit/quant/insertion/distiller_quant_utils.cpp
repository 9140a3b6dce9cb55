// Distiller's own tests of scales, ranges and modes, by its numbers (tests/golden/distiller_quant_utils.json).
#include "core/file.h"
#include "ops/op.h"
#include "ops/restricted_scale.h"
#include "quant/observer/observer.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <ATen/ops/broadcast_tensors.h>
#include <ATen/ops/ones_like.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <cmath>
#include <functional>
#include <limits>

using namespace compress;
using namespace compress::quant;
using namespace compress::test;
using nlohmann::json;

namespace {

const json& quant_utils() {
  static const auto all = json::parse(read_file("tests/golden/distiller_quant_utils.json"));
  return all;
}

/// Calls `body` with each case of an operation; returns how many there are.
int each_case(const std::string& op, const std::function<void(const json&)>& body) {
  int count = 0;
  for (const auto& entry : quant_utils().at("cases")) {
    if (entry.at("op") != op || entry.value("expected", json()).is_string()) continue;
    INFO(entry.at("name").get<std::string>());
    body(entry);
    ++count;
  }
  return count;
}

const json& named_case(const std::string& name) {
  for (const auto& entry : quant_utils().at("cases"))
    if (entry.at("name") == name) return entry;
  FAIL("there is no golden case " << name);
  return quant_utils();
}

at::Tensor number_or_list(const json& value) {
  return value.is_array() ? numbers(value.get<std::vector<double>>())
                          : at::scalar_tensor(value.get<double>(), at::kDouble);
}

at::Tensor input_of(const json& entry) {
  return numbers(quant_utils().at("input").get<std::vector<double>>())
      .reshape(entry.at("reshape_row_major").get<Shape>())
      .to(at::kFloat);
}

int64_t axis_of_case(const json& entry, const char* key) {
  return entry.at(key).is_null() ? -1 : entry.at(key).get<int64_t>();
}

/// The file's numbers are Distiller's; `onnx_...` are those in our convention (the file's "conversion").
void require_grid(const ops::Grid& grid, const json& entry) {
  const auto scale = number_or_list(entry.at("onnx_scale")), zero_point = number_or_list(entry.at("onnx_zero_point"));
  require_close(grid.scale.div(scale), at::ones_like(scale), 1e-7);
  require_close(grid.scale.reciprocal().div(number_or_list(entry.at("expected_distiller_scale"))), at::ones_like(scale),
                1e-7);
  require_close(grid.zero_point, zero_point, 0);
  require_close(grid.zero_point.neg(), number_or_list(entry.at("expected_distiller_zero_point")), 0);
}

void require_range(const ops::ValueRange& range, const json& expected, double tolerance) {
  require_close(range.min, number_or_list(expected.at("minimum")), tolerance);
  require_close(range.max, number_or_list(expected.at("maximum")), tolerance);
}

constexpr ops::GridSpec kAsymmetric{.is_signed = false, .symmetric = false};

std::unique_ptr<Observer> made(std::string_view name, const std::string& arguments) {
  auto observer = observers().make(name);
  Settings settings;
  observer->declare(settings);
  settings.read(parse_yaml(arguments, "test.yaml"), name);
  return observer;
}

/// Extremes averaged over an axis: of samples, where the axis is the first, or of the whole.
ops::ValueRange observed(const json& entry, const ops::GridSpec& grid) {
  const auto x = input_of(entry);
  const auto observer = made("averaged_min_max", "{}");
  ValueStatistics seen("x", observer->needs());
  seen.watch(axis_of_case(entry, "across_dimension") == 0 ? x : x.reshape({1, -1}));
  const auto range = observer->range(seen, grid);
  return {at::scalar_tensor(range.low, at::kDouble), at::scalar_tensor(range.high, at::kDouble)};
}

}  // namespace

TEST_CASE("quant utils: Distiller's symmetric scales", "[quant][golden]") {
  const auto count = each_case("symmetric_parameters", [](const json& entry) {
    const ops::GridSpec spec{.bits = entry.at("bits"), .narrow = entry.at("restricted_range")};
    for (const auto type : {at::kFloat, at::kDouble}) {
      const auto saturation = number_or_list(entry.at("saturation")).to(type);
      ops::check_range({saturation.neg(), saturation});
      require_grid(ops::make_grid(saturation.neg(), saturation, spec), entry);
    }
  });
  REQUIRE(count == 12);
}

TEST_CASE("quant utils: Distiller's asymmetric scales and zero points", "[quant][golden]") {
  const auto count = each_case("asymmetric_parameters", [](const json& entry) {
    const ops::GridSpec spec{.bits = entry.at("bits"), .is_signed = entry.at("signed"), .symmetric = false};
    for (const auto type : {at::kFloat, at::kDouble}) {
      const auto range = at::broadcast_tensors(
          {number_or_list(entry.at("minimum")).to(type), number_or_list(entry.at("maximum")).to(type)});
      ops::check_range({range[0], range[1]});
      const auto make = entry.at("integral_zero_point").get<bool>() ? ops::make_grid : ops::make_fractional_grid;
      require_grid(make(range[0], range[1], spec), entry);
    }
  });
  REQUIRE(count == 15);
}

TEST_CASE("quant utils: Distiller's ranges of a tensor", "[quant][golden]") {
  REQUIRE(each_case("min_max", [](const json& entry) {
            const auto range = ops::value_range(input_of(entry), axis_of_case(entry, "per_dimension"));
            require_range({range.min, range.max}, entry.at("expected"), 0);
          }) == 3);
  REQUIRE(each_case("averaged_min_max", [](const json& entry) {
            require_range(observed(entry, kAsymmetric), entry.at("expected"), 0);
          }) == 3);
  REQUIRE(each_case("max_abs", [](const json& entry) {
            const auto range = ops::value_range(input_of(entry), axis_of_case(entry, "per_dimension"));
            const auto grid = ops::make_grid(range.min, range.max, {.narrow = true});
            require_close(grid.scale.mul(127), number_or_list(entry.at("expected").at("max_abs")), 1e-5);
          }) == 3);
  REQUIRE(each_case("averaged_max_abs", [](const json& entry) {
            require_close(observed(entry, {}).max, number_or_list(entry.at("expected").at("max_abs")), 0);
          }) == 3);
}

TEST_CASE("quant utils: Distiller's mean and standard deviations", "[quant][golden]") {
  const auto& moments = named_case("mean_and_standard_deviation");
  const auto x = numbers(quant_utils().at("input").get<std::vector<double>>()).to(at::kFloat);
  ValueStatistics seen("x", {.deviation = true});
  seen.watch(x.reshape({1, -1}));
  REQUIRE(seen.mean() == Approx(moments.at("expected").at("mean").get<double>()).margin(1e-5));
  REQUIRE(seen.standard_deviation() == Approx(moments.at("expected").at("std").get<double>()).margin(1e-5));
  REQUIRE(each_case("n_std_min_max", [&](const json& entry) {
            const auto range =
                made("n_std", fmt::format("{{n: {}}}", entry.at("n_std").dump()))->range(seen, kAsymmetric);
            require_range({at::scalar_tensor(range.low, at::kDouble), at::scalar_tensor(range.high, at::kDouble)},
                          entry.at("expected"), 1e-5);
          }) == 2);
}

TEST_CASE("quant utils: the integers of Distiller's modes", "[quant][golden]") {
  const auto count = each_case("quantised_range", [](const json& entry) {
    // Distiller's restricted range is one of signed integers only.
    const bool is_signed = entry.at("signed");
    const ops::GridSpec spec{
        .bits = entry.at("bits"), .is_signed = is_signed, .narrow = is_signed && entry.at("restricted_range")};
    REQUIRE(spec.low() == entry.at("expected").at("minimum"));
    REQUIRE(spec.high() == entry.at("expected").at("maximum"));
  });
  REQUIRE(count == 4);
}

TEST_CASE("quant utils: what Distiller refuses is refused", "[quant][golden]") {
  for (const auto& saturation : named_case("symmetric_negative_rejected").at("rejected_saturations")) {
    const auto reach = number_or_list(saturation);
    require_error([&] { ops::check_range({reach.neg(), reach}); }, "the range [5, -5] of a grid");
  }
  for (const auto& range : named_case("asymmetric_min_above_max_rejected").at("rejected"))
    require_error(
        [&] {
          ops::check_range({number_or_list(range.at("minimum")), number_or_list(range.at("maximum"))});
        },
        "the range [5, ", "the smallest number is not above the largest");
  const auto& dimensions = named_case("dimension_out_of_range_rejected");
  const std::vector<ops::ValueInfo> inputs{{dimensions.at("reshape_row_major").get<Shape>()}, {{}}, {{}}};
  for (const int64_t axis : dimensions.at("rejected_dimensions")) {
    const auto node = node_of(fmt::format("y = FakeQuantize(x, %s, %z) axis={}", axis));
    require_error([&] { ops::op_of(node).infer({.node = node, .inputs = inputs}); },
                  fmt::format("attribute 'axis' is {}, but the value has 2 axes", axis));
  }
  for (const auto* n : {"0", "-1"})
    require_error([&] { made("n_std", fmt::format("{{n: {}}}", n)); }, "'n'", "above 0");
}

TEST_CASE("quant utils: what is not finite is refused", "[quant]") {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto check = [](const std::vector<double>& min, const std::vector<double>& max) {
    return [=] { ops::check_range({numbers(min), numbers(max)}); };
  };
  require_error(check({0, -infinity}, {1, 1}), "the range [-inf, 1] of a grid", "both are finite");
  require_error(check({-std::nan("")}, {std::nan("")}), "the range [nan, nan] of a grid");
  check({1}, {1})();
}
