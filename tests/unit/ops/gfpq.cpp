#include "ops/gfpq.h"

#include "core/file.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/tensors.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <bit>
#include <cmath>
#include <limits>

using namespace compress;
using namespace compress::ops;
using namespace compress::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The bytes of each number in hexadecimal, lowest byte first.
std::vector<std::string> hexadecimal(const at::Tensor& x) {
  std::vector<std::string> result;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const auto word = std::bit_cast<uint32_t>(x[i].item<float>());
    result.push_back(
        fmt::format("{:02x}{:02x}{:02x}{:02x}", word & 255, word >> 8 & 255, word >> 16 & 255, word >> 24));
  }
  return result;
}

float quantized_number(double x, int64_t mark, int bits) {
  return gfpq_quantize(numbers({x}).to(at::kFloat), mark, bits).item<float>();
}

}  // namespace

TEST_CASE("gfpq: marks and numbers are the vendor's, bit for bit", "[ops][golden]") {
  const auto golden = nlohmann::json::parse(read_file("tests/golden/gfpq.json"));
  REQUIRE(golden.at("cases").size() == 10);
  for (const auto& entry : golden.at("cases")) {
    const int bits = entry.at("bits");
    const auto x = numbers(entry.at("x").get<std::vector<double>>()).to(at::kFloat);
    const auto mark = gfpq_mark(x, bits);
    INFO(bits << " bits, mark " << mark);
    REQUIRE(mark == entry.at("mark"));
    REQUIRE(hexadecimal(gfpq_quantize(x, mark, bits)) == entry.at("y_hex").get<std::vector<std::string>>());
  }
}

TEST_CASE("gfpq: down to half of the lowest level numbers go up to it, below they are zero", "[ops]") {
  REQUIRE(quantized_number(0.0020396, -127, 8) == 0.00407919427F);
  REQUIRE(quantized_number(0.0020395, -127, 8) == 0);
  REQUIRE(quantized_number(-0.00213, -127, 8) == -0.00425979588F);
  REQUIRE(quantized_number(-0.0021298, -127, 8) == 0);
  REQUIRE(quantized_number(0.5, 0, 8) == 1);
  REQUIRE(quantized_number(-std::exp2(1.0 / 128 - 1), 0, 16) == 0);
}

TEST_CASE("gfpq: the mark is rounded down, so that no level exceeds the largest magnitude", "[ops]") {
  REQUIRE(gfpq_mark(9.0, 8) == -77);
  REQUIRE(gfpq_mark(3.3, 8) == -100);
  REQUIRE(gfpq_mark(0.7, 8) == -136);
  for (const int bits : {8, 16})
    for (const double largest : {1e-7, 0.3, 0.999, 1.0, 1.001, 77.0}) {
      const auto levels = gfpq_levels(gfpq_mark(largest, bits), bits);
      REQUIRE(levels[-1].item<double>() <= largest);
      REQUIRE(levels[-1].item<double>() * std::exp2(1.0 / gfpq_format(bits).steps) > largest);
    }
}

TEST_CASE("gfpq: marks of nothing, of zeros, of what is not finite", "[ops]") {
  REQUIRE(gfpq_mark(at::zeros({3}), 8) == -446);
  REQUIRE(gfpq_mark(at::empty({0}), 8) == -446);
  REQUIRE(gfpq_mark(1e-30, 8) == -511);
  REQUIRE(gfpq_mark(1e30, 8) == 511);
  REQUIRE(gfpq_mark(numbers({1, -kInfinity}), 8) == 511);
  REQUIRE(gfpq_mark(kInfinity, 16) == gfpq_mark(static_cast<double>(std::numeric_limits<float>::max()), 16));
  REQUIRE(gfpq_mark(numbers({std::nan(""), -9}), 8) == -77);
  const auto wild_ones = gfpq_quantize(numbers({std::nan(""), kInfinity, -kInfinity, 0, -0.0}), -127, 8);
  require_close(wild_ones, numbers({0, 1, -1, 0, 0}), 0);
}

TEST_CASE("gfpq: codes are sign and level", "[ops]") {
  const auto codes = [](std::vector<double> x, int bits) { return gfpq_encode(numbers(x), 0, bits); };
  const double top8 = std::exp2(127.0 / 16);
  require_close(codes({1, 0, -1, 2, -2, top8, -top8, 1e9, -1e9}, 8),
                integers({0x00, 0x80, 0x81, 0x10, 0x90, 0x7f, 0xff, 0x7f, 0xff}), 0);
  require_close(codes({1, 0, -1, 2, -2, 1e9, -1e9}, 16),
                integers({0x0000, 0x8000, 0x8001, 0x0080, 0x8080, 0x057f, 0x857f}), 0);
}

TEST_CASE("gfpq: every code survives decoding and encoding", "[ops]") {
  for (const int bits : {8, 16})
    for (const int64_t mark : {-500, -77, 3}) {
      const auto format = gfpq_format(bits);
      const auto positive = at::arange(format.highest + 1, at::kInt);
      for (const auto& codes : {positive, positive.add(format.sign_bit)}) {
        const auto values = gfpq_decode(codes, mark, bits, at::kDouble);
        require_close(gfpq_encode(values, mark, bits), codes, 0);
        require_close(gfpq_encode(gfpq_decode(codes, mark, bits), mark, bits), codes, 0);
      }
    }
  REQUIRE(gfpq_decode(integers({0x80}), 5, 8).item<float>() == 0);
}

TEST_CASE("gfpq: type and shape stay, no number moves twice", "[ops]") {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const auto x = wild({3, 5, 2}).to(type);
    const auto once = gfpq_quantize(x, gfpq_mark(x, 8), 8);
    REQUIRE(once.scalar_type() == type);
    REQUIRE(once.sizes().equals(x.sizes()));
    REQUIRE(gfpq_quantize(once, gfpq_mark(x, 8), 8).equal(once));
    const auto error = once.sub(x).abs().div(x.abs()).masked_select(x.abs().gt(0.01)).max();
    REQUIRE(error.item<double>() < std::exp2(1.0 / 16) - 1);  // the top is rounded down: up to a whole step
  }
}

TEST_CASE("gfpq: wrong bits, magnitudes and codes are refused", "[ops]") {
  require_error([] { gfpq_mark(1.0, 4); }, "the number format GFPQ has 8 or 16 bits, not 4");
  require_error([] { gfpq_mark(std::nan(""), 8); }, "largest magnitude of a tensor is nan");
  require_error([] { gfpq_mark(-1.0, 8); }, "largest magnitude of a tensor is -1");
  require_error(
      [] {
        gfpq_decode(integers({1, 0x0580}), 0, 16);
      },
      "the number 1408 is no code of GFPQ with 16 bits", "0 to 1407 and 32768 to 34175");
  require_error([] { gfpq_decode(integers({-1}), 0, 8); }, "the number -1 is no code of GFPQ with 8 bits");
  require_error([] { gfpq_decode(integers({256}), 0, 8); }, "the number 256 is no code");
}
