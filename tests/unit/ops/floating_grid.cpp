#include "ops/floating_grid.h"

#include "core/file.h"
#include "ops/grid_format.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <limits>

using namespace compress;
using namespace compress::ops;
using namespace compress::test;

namespace {

/// Numbers of JSON; "inf", "-inf" and "nan" are text there.
at::Tensor numbers_of(const nlohmann::json& list) {
  std::vector<double> result;
  for (const auto& entry : list)
    result.push_back(entry.is_string() ? std::strtod(entry.get<std::string>().c_str(), nullptr) : entry.get<double>());
  return numbers(result);
}

/// Single-precision numbers of all magnitudes and signs, with many halfway cases: every 65,536th, give or take one.
at::Tensor numbers_of_all_magnitudes() {
  const auto high = at::arange(-32768, 32768, at::kInt).mul(65536);
  std::vector<int64_t> low;
  for (const int64_t half : {0x0000, 0x8000, 0x4000, 0x1234}) low.insert(low.end(), {half, half + 1});
  low.push_back(0x7fff);
  return high.unsqueeze(1).add(integers(low).to(at::kInt)).flatten().view(at::kFloat);
}

constexpr std::array kAll{GridFormat::float8_e4m3, GridFormat::float8_e5m2, GridFormat::float16, GridFormat::bfloat16};

}  // namespace

TEST_CASE("floating grid: the numbers of every 8-bit code are ONNX's, and stay", "[ops][golden]") {
  const auto golden = nlohmann::json::parse(read_file("tests/golden/float8_onnx.json"));
  for (const auto kind : {GridFormat::float8_e4m3, GridFormat::float8_e5m2}) {
    const auto& format = float_format(kind);
    auto codes = numbers_of(golden.at(word_of(kind)).at("codes"));
    REQUIRE(codes.numel() == 256);
    codes = codes.masked_select(codes.isfinite());
    REQUIRE(codes.max().item<double>() == format.largest);
    require_close(float_rounded(codes, format), codes, 0);
  }
}

TEST_CASE("floating grid: rounding and saturation are those of ONNX's Cast", "[ops][golden]") {
  const auto golden = nlohmann::json::parse(read_file("tests/golden/float8_onnx.json"));
  for (const auto kind : {GridFormat::float8_e4m3, GridFormat::float8_e5m2}) {
    const auto x = numbers_of(golden.at(word_of(kind)).at("x")).to(at::kFloat);
    require_close(float_rounded(x, float_format(kind)), numbers_of(golden.at(word_of(kind)).at("cast")), 0);
  }
}

TEST_CASE("floating grid: up to the largest number all formats round as LibTorch converts", "[ops]") {
  const auto all = numbers_of_all_magnitudes();
  for (const auto kind : kAll) {
    INFO(word_of(kind));
    const auto& format = float_format(kind);
    const auto x = all.masked_select(all.abs().le(format.largest).logical_or_(all.isnan()));
    const auto mine = float_rounded(x, format), converted = x.to(format.type).to(at::kFloat);
    require_close(mine, converted, 0);
    REQUIRE(mine.signbit().logical_or(x.isnan()).equal(converted.signbit().logical_or(x.isnan())));
    REQUIRE(x.numel() > 200'000);
  }
}

TEST_CASE("floating grid: what is beyond saturates, not-a-number stays", "[ops]") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto kind : kAll) {
    const auto& format = float_format(kind);
    const double large = format.largest;
    const auto x = numbers({large * 1.001, large * 100, infinity, -large * 2, -infinity, std::nan("")});
    require_close(float_rounded(x, format), numbers({large, large, large, -large, -large, std::nan("")}), 0);
  }
}

TEST_CASE("floating grid: double precision is rounded once", "[ops]") {
  // Just above a halfway case by less than single precision can tell.
  const auto x = numbers({1 + 1.0 / 16 + 1e-12});
  REQUIRE(float_rounded(x, float_format(GridFormat::float8_e4m3)).item<double>() == 1.125);
  REQUIRE(float_rounded(x.to(at::kFloat), float_format(GridFormat::float8_e4m3)).item<double>() == 1);
}

TEST_CASE("floating grid: a scale puts the largest weight on the largest number", "[ops]") {
  const auto& format = float_format(GridFormat::float8_e4m3);
  const auto x = wild({3, 4, 5}).mul(7);
  const auto scale = float_scale(x.amin({1, 2}), x.amax({1, 2}), format);
  const GridSpec spec{.format = GridFormat::float8_e4m3};
  const auto rounded = fake_quantize(x, {scale, scale}, spec, 0);
  const auto step = scale.reshape({3, 1, 1});
  require_close(rounded, float_rounded(x.div(step), format).mul(step), 0);
  require_close(rounded.abs().amax({1, 2}), x.abs().amax({1, 2}), 1e-12);
  const auto error = rounded.sub(x).abs().div(x.abs()).masked_select(x.abs().gt(0.1)).max();
  REQUIRE(error.item<double>() <= 1.0 / 16);
  REQUIRE(float_scale(numbers({0}), numbers({0}), format).item<double>() == 1);
  const auto whole = at::scalar_tensor(0.5, at::kDouble);
  require_close(fake_quantize(x, {whole, whole}, spec, -1), float_rounded(x.mul(2), format).mul(0.5), 0);
}
