#include "prune/cut.h"

#include "core/random.h"
#include "unit/prune/support.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::prune;
using namespace compress::prune::fixtures;

TEST_CASE("cut: exactly floor(share * count) structures go", "[prune]") {
  REQUIRE(CountRule{}.removed(3 * 64 * 32 * 32, 0.3) == 58982);
  REQUIRE(cut_share(at::arange(196608), 0.3).sum().item<double>() == 196608 - 58982);
}

TEST_CASE("cut: of equal strengths only as many go as asked, the first ones", "[prune]") {
  REQUIRE(cut_share(at::ones({10}), 0.5).equal(at::tensor({0., 0., 0., 0., 0., 1., 1., 1., 1., 1.}).to(at::kFloat)));
  REQUIRE(cut_weakest(at::tensor({1.f, 1.f, 2.f, 3.f}), 1).equal(at::tensor({0.f, 1.f, 1.f, 1.f})));
  REQUIRE(cut_weakest(at::tensor({0.f, -0.f, 1.f}), 1).equal(at::tensor({0.f, 1.f, 1.f})));
}

TEST_CASE("cut: what a stable sort puts first goes, for numbers of either sign and with equals", "[prune]") {
  Random random(1, "cut");
  for (const int64_t n : {1, 2, 7, 100, 5000}) {
    std::vector<float> numbers(static_cast<size_t>(n));
    for (auto& number : numbers) number = static_cast<float>(random.below(50) - 25) * (n == 100 ? 1e-30F : 0.37F);
    const auto strengths = at::tensor(numbers);
    for (const int64_t count : {int64_t{0}, int64_t{1}, n / 3, n - 1, n}) {
      auto expected = at::ones_like(strengths);
      expected.index_fill_(0, strengths.argsort(/*stable=*/true, /*dim=*/0).slice(0, 0, count), 0);
      INFO(n << " structures, " << count << " go");
      REQUIRE(cut_weakest(strengths, count).equal(expected));
    }
  }
}

TEST_CASE("cut: of each four the two strongest stay, of equals the last ones", "[prune]") {
  REQUIRE(cut_quota(at::tensor({4.f, 1.f, 3.f, 2.f, 1.f, 1.f, 1.f, 1.f}), 2, 4)
              .equal(at::tensor({1.f, 0.f, 1.f, 0.f, 0.f, 0.f, 1.f, 1.f})));
}

TEST_CASE("count rule: the number to remove is int(share * count)", "[prune]") {
  REQUIRE(CountRule{}.removed(16, 0.1) == 1);
  REQUIRE(CountRule{}.removed(16, 0.5) == 8);
  REQUIRE(CountRule{}.removed(512, 0.1) == 51);
  REQUIRE(CountRule{}.removed(1024, 0.1) == 102);
  REQUIRE(CountRule{.rounding = Rounding::ceil}.removed(16, 0.1) == 2);
  REQUIRE(CountRule{.rounding = Rounding::round}.removed(16, 0.1) == 2);
}

TEST_CASE("count rule: a group size rounds again and never removes everything", "[prune]") {
  REQUIRE(CountRule{.group_size = 8}.removed(64, 0.4) == 24);
  REQUIRE(CountRule{.rounding = Rounding::ceil, .group_size = 8}.removed(64, 0.4) == 32);
  REQUIRE(CountRule{.rounding = Rounding::ceil}.removed(10, 0.95) == 9);
  REQUIRE(CountRule{.rounding = Rounding::ceil, .group_size = 4}.removed(10, 0.9) == 8);
  REQUIRE(CountRule{.rounding = Rounding::ceil}.removed(1, 0.5) == 0);
}
