#include "analysis/entropy.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

#include <cmath>
#include <map>

using namespace compress;
using analysis::entropy;

TEST_CASE("entropy: of known distributions, in bits an element") {
  REQUIRE(entropy(at::zeros({100})) == 0);
  REQUIRE(entropy(at::ones({1})) == 0);
  REQUIRE(entropy(at::zeros({0})) == 0);
  REQUIRE(entropy(at::arange(1024, at::kFloat)) == Approx(10));
  REQUIRE(entropy(at::tensor({0., 1., 0., 1.}).view({2, 2})) == Approx(1));
  REQUIRE(entropy(at::tensor({1, 2, 2, 3, 3, 3, 3, 3})) ==
          Approx(-(std::log2(1 / 8.) + 2 * std::log2(2 / 8.) + 5 * std::log2(5 / 8.)) / 8));
}

TEST_CASE("entropy: of every element type, negative numbers too; both zeros are one") {
  REQUIRE(entropy(at::tensor({0.F, -0.F, 0.F, -0.F})) == 0);
  const at::Tensor values = at::randint(-50, 50, {10000}, at::kLong);
  std::map<int64_t, double> counts;
  for (int64_t i = 0; i < values.numel(); ++i) ++counts[values[i].item<int64_t>()];
  double expected = 0;
  for (const auto& [value, count] : counts) expected -= count / 1e4 * std::log2(count / 1e4);
  for (const auto type :
       {at::kLong, at::kInt, at::kShort, at::kChar, at::kFloat, at::kDouble, at::kHalf, at::kBFloat16})
    REQUIRE(entropy(values.to(type)) == Approx(expected));
  REQUIRE(entropy(values.view({100, 100}).t()) == Approx(expected));
}
