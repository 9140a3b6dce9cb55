#include "quant/lapq/lp_clip.h"

#include "core/random.h"
#include "support/check_error.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/histc.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace compress;
using ops::GridSpec;
using quant::Clip;
using quant::lp_error;
using quant::lp_optimal_clip;
using quant::Sample;
using quant::without_zeros;
using test::require_error;

namespace {

constexpr GridSpec kSigned4{.bits = 4, .is_signed = true, .narrow = true, .symmetric = true};
constexpr GridSpec kUnsigned4{.bits = 4, .is_signed = false, .symmetric = true};
constexpr GridSpec kAsymmetric4{.bits = 4, .is_signed = false, .symmetric = false};

/// Bell-shaped, with few numbers far out, as weights are.
at::Tensor normal_values(int64_t n, uint64_t seed) {
  Random random(seed, "values");
  std::vector<float> values(static_cast<size_t>(n));
  for (auto& value : values) {
    const auto x = random.normal();
    value = static_cast<float>(x * (std::abs(x) + 0.5));
  }
  return at::tensor(values);
}

/// The least error over 500 places a bound, without any cleverness.
double brute_force(const Sample& sample, const GridSpec& spec, double p, double low, double high) {
  double least = std::numeric_limits<double>::infinity();
  for (int i = 1; i <= 500; ++i) least = std::min(least, lp_error(sample, spec, p, low * i / 500, high * i / 500));
  return least;
}

}  // namespace

TEST_CASE("lp clip: the error by hand") {
  const Sample sample{at::tensor({-3.0F, 0.4F, 1.2F, 7.0F})};
  // Scale 1: -3, 0, 1 and 7 are on the grid.
  REQUIRE(lp_error(sample, kSigned4, 2, -7, 7) == Approx((0.16 + 0.04) / 4));
  // Scale 0.5: 7 is clipped to 3.5.
  REQUIRE(lp_error(sample, kSigned4, 3, -3.5, 3.5) ==
          Approx((std::pow(0.1, 3) + std::pow(0.2, 3) + std::pow(3.5, 3)) / 4));
  const Sample weighted{sample.values, at::tensor({0.0F, 3.0F, 1.0F, 0.0F})};
  REQUIRE(lp_error(weighted, kSigned4, 2, -7, 7) == Approx((3 * 0.16 + 0.04) / 4));
}

TEST_CASE("lp clip: as good as brute force, for every grid and p") {
  const Sample plain{normal_values(4000, 1)};
  const Sample relu = without_zeros({normal_values(4000, 2).clamp_min(0)});
  for (const int bits : {2, 3, 4, 8})
    for (const double p : {1.0, 2.0, 2.5, 4.0}) {
      INFO(bits << " bits, p = " << p);
      auto spec = kSigned4;
      spec.bits = bits;
      const auto reach = plain.values.abs().max().item<double>();
      const auto clip = lp_optimal_clip(plain, spec, p);
      REQUIRE(clip.low == -clip.high);
      REQUIRE(clip.high <= reach);
      REQUIRE(clip.error == lp_error(plain, spec, p, clip.low, clip.high));
      REQUIRE(clip.error <= 1.005 * brute_force(plain, spec, p, -reach, reach));
      spec = kUnsigned4;
      spec.bits = bits;
      const auto top = lp_optimal_clip(relu, spec, p);
      REQUIRE(top.low == 0);
      REQUIRE(top.error <= 1.005 * brute_force(relu, spec, p, 0, relu.values.max().item<double>()));
    }
}

TEST_CASE("lp clip: both bounds of an asymmetric range are found") {
  // Long to the right, short to the left.
  const Sample sample{normal_values(3000, 3).exp().sub(0.7).clamp_max(40)};
  const double lowest = sample.values.min().item<double>(), highest = sample.values.max().item<double>();
  for (const double p : {2.0, 3.0}) {
    const auto clip = lp_optimal_clip(sample, kAsymmetric4, p);
    double least = std::numeric_limits<double>::infinity();
    for (int i = 0; i <= 25; ++i)
      for (int j = 1; j <= 60; ++j)
        least = std::min(least, lp_error(sample, kAsymmetric4, p, lowest * i / 25, highest * j / 60));
    REQUIRE(clip.error <= 1.02 * least);
    REQUIRE(clip.low >= lowest);
    REQUIRE(clip.high <= highest);
    REQUIRE(clip.high < 0.9 * highest);
  }
  const Sample positive{normal_values(3000, 4).abs().add(0.1)};
  REQUIRE(lp_optimal_clip(positive, kAsymmetric4, 2).low == 0);
  REQUIRE(lp_optimal_clip({positive.values.neg()}, kAsymmetric4, 2).high == 0);
}

TEST_CASE("lp clip: a greater p clips less, more bits clip less") {
  const Sample sample{normal_values(4000, 5)};
  REQUIRE(lp_optimal_clip(sample, kSigned4, 2).high < lp_optimal_clip(sample, kSigned4, 4).high);
  auto wide = kSigned4;
  wide.bits = 8;
  REQUIRE(lp_optimal_clip(sample, kSigned4, 2).high < lp_optimal_clip(sample, wide, 2).high);
}

TEST_CASE("lp clip: a histogram gives what its tensor gives") {
  const auto values = normal_values(20000, 6).abs();
  const auto top = values.max().item<double>();
  constexpr int64_t kBins = 2048;
  const Sample histogram{at::arange(kBins, at::kFloat).add(0.5).mul(top / kBins), at::histc(values, kBins, 0, top)};
  const auto exact = lp_optimal_clip({values}, kUnsigned4, 2.5), binned = lp_optimal_clip(histogram, kUnsigned4, 2.5);
  REQUIRE(binned.high == Approx(exact.high).epsilon(0.03));
  REQUIRE(lp_error({values}, kUnsigned4, 2.5, 0, binned.high) <= 1.005 * exact.error);
}

TEST_CASE("lp clip: zeros can be left out, of histograms too") {
  const Sample sample{at::tensor({0.0F, 2.0F, 0.0F, 3.0F}), at::tensor({5.0F, 1.0F, 1.0F, 2.0F})};
  const auto kept = without_zeros(sample);
  REQUIRE(kept.values.equal(at::tensor({2.0F, 3.0F})));
  REQUIRE(kept.weights.equal(at::tensor({1.0F, 2.0F})));
  REQUIRE_FALSE(without_zeros({sample.values}).weights.defined());
}

TEST_CASE("lp clip: empty, zero and constant tensors") {
  for (const auto& values : {at::empty({0}), at::zeros({7})}) {
    const auto clip = lp_optimal_clip({values}, kSigned4, 2);
    REQUIRE(clip.low == 0);
    REQUIRE(clip.high == 0);
    REQUIRE(clip.error == 0);
  }
  REQUIRE(lp_optimal_clip({at::full({5}, -2.5F)}, kUnsigned4, 2).high == 0);
  const auto constant = lp_optimal_clip({at::full({2, 3}, 2.5F)}, kSigned4, 2);
  REQUIRE(constant.error == Approx(0).margin(1e-12));
  REQUIRE(lp_optimal_clip({at::full({3}, 1.0F), at::zeros({3})}, kSigned4, 2).high == 1);
}

TEST_CASE("lp clip: what is wrong is said") {
  const Sample sample{at::ones({2, 3})};
  require_error([&] { lp_optimal_clip(sample, kSigned4, 0); }, "p is 0; it must be a positive number");
  require_error([&] { lp_optimal_clip(sample, kSigned4, std::nan("")); }, "p is nan");
  require_error(
      [&] {
        lp_optimal_clip({at::ones({2, 3}), at::ones({6})}, kSigned4, 2);
      },
      "the values have shape 2x3, their weights 6");
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()})
    require_error(
        [&] {
          lp_optimal_clip({at::tensor({1.0F, bad})}, kSigned4, 2);
        },
        "a tensor to be quantised holds NaN or an infinity");
}
