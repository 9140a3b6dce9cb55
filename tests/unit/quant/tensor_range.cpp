// Distiller's own tests of scales, ranges and modes, by its numbers (tests/golden/distiller_quant_utils.json).
#include "quant/tensor_range.h"

#include "core/file.h"
#include "ops/restricted_scale.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/tensors.h"

#include <ATen/ops/broadcast_tensors.h>
#include <ATen/ops/ones_like.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

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
    if (entry.at("op") != op || entry.value("expected", json()) == "argument error") continue;
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

}  // namespace

TEST_CASE("tensor range: Distiller's symmetric scales", "[quant][golden]") {
  const auto count = each_case("symmetric_parameters", [](const json& entry) {
    const ops::GridSpec spec{.bits = entry.at("bits"), .narrow = entry.at("restricted_range")};
    for (const auto type : {at::kFloat, at::kDouble}) {
      const auto range = symmetric_range(number_or_list(entry.at("saturation")).to(type));
      require_grid(ops::make_grid(range.min, range.max, spec), entry);
    }
  });
  REQUIRE(count == 12);
}

TEST_CASE("tensor range: Distiller's asymmetric scales and zero points", "[quant][golden]") {
  const auto count = each_case("asymmetric_parameters", [](const json& entry) {
    const ops::GridSpec spec{.bits = entry.at("bits"), .is_signed = entry.at("signed"), .symmetric = false};
    for (const auto type : {at::kFloat, at::kDouble}) {
      const auto range = at::broadcast_tensors(
          {number_or_list(entry.at("minimum")).to(type), number_or_list(entry.at("maximum")).to(type)});
      check_range(range[0], range[1]);
      const auto make = entry.at("integral_zero_point").get<bool>() ? ops::make_grid : ops::make_fractional_grid;
      require_grid(make(range[0], range[1], spec), entry);
    }
  });
  REQUIRE(count == 15);
}

TEST_CASE("tensor range: Distiller's ranges of a tensor", "[quant][golden]") {
  REQUIRE(each_case("min_max", [](const json& entry) {
            require_range(min_max(input_of(entry), axis_of_case(entry, "per_dimension")), entry.at("expected"), 0);
          }) == 3);
  REQUIRE(each_case("averaged_min_max", [](const json& entry) {
            const auto range = averaged_min_max(input_of(entry), axis_of_case(entry, "across_dimension"));
            require_range(range, entry.at("expected"), 0);
          }) == 3);
  REQUIRE(each_case("max_abs", [](const json& entry) {
            require_close(max_abs(input_of(entry), axis_of_case(entry, "per_dimension")),
                          number_or_list(entry.at("expected").at("max_abs")), 0);
          }) == 3);
  REQUIRE(each_case("averaged_max_abs", [](const json& entry) {
            require_close(averaged_max_abs(input_of(entry), axis_of_case(entry, "across_dimension")),
                          number_or_list(entry.at("expected").at("max_abs")), 0);
          }) == 3);
}

TEST_CASE("tensor range: Distiller's mean and standard deviations", "[quant][golden]") {
  const auto& moments = named_case("mean_and_standard_deviation");
  const auto x = numbers(quant_utils().at("input").get<std::vector<double>>()).to(at::kFloat);
  require_close(x.mean(), number_or_list(moments.at("expected").at("mean")), 1e-5);
  require_close(x.std(), number_or_list(moments.at("expected").at("std")), 1e-5);
  REQUIRE(each_case("n_std_min_max", [&](const json& entry) {
            require_range(n_std_range(x, entry.at("n_std")), entry.at("expected"), 1e-5);
          }) == 2);
}

TEST_CASE("tensor range: the integers of Distiller's modes", "[quant][golden]") {
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

TEST_CASE("tensor range: what Distiller refuses is refused", "[quant][golden]") {
  for (const auto& saturation : named_case("symmetric_negative_rejected").at("rejected_saturations"))
    require_error([&] { symmetric_range(number_or_list(saturation)); }, "the range [5, -5] of a grid");
  for (const auto& range : named_case("asymmetric_min_above_max_rejected").at("rejected"))
    require_error([&] { check_range(number_or_list(range.at("minimum")), number_or_list(range.at("maximum"))); },
                  "the range [5, ", "the smallest number is not above the largest");
  const auto& dimensions = named_case("dimension_out_of_range_rejected");
  const auto x = input_of(dimensions);
  for (const int64_t axis : dimensions.at("rejected_dimensions")) {
    const auto message = fmt::format("the range along axis {} of a value of shape 6x6", axis);
    require_error([&] { min_max(x, axis); }, message, "-1: one range for the whole value");
    require_error([&] { averaged_min_max(x, axis); }, message);
    require_error([&] { max_abs(x, axis); }, message);
    require_error([&] { averaged_max_abs(x, axis); }, message);
  }
  for (const double n : {0.0, -1.0})
    require_error([&] { n_std_range(x, n); }, fmt::format("a range of {} standard deviations", n), "positive");
}

TEST_CASE("tensor range: what is not finite is refused", "[quant]") {
  const double infinity = std::numeric_limits<double>::infinity();
  require_error(
      [&] {
        check_range(numbers({0, -infinity}), numbers({1, 1}));
      },
      "the range [-inf, 1] of a grid", "both are finite");
  require_error([] { symmetric_range(numbers({std::nan("")})); }, "the range [nan, nan] of a grid");
  check_range(numbers({1}), numbers({1}));
}
