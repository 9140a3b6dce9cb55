#include "ops/accumulator.h"

#include "support/check_error.h"
#include "support/close.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::ops;
using namespace compress::test;

TEST_CASE("accumulator: sums saturate at the ends of the register", "[ops]") {
  const auto sums = numbers({-1e12, -32769, -32768, -1, 0, 32767, 32768, 1e12});
  require_close(clamp_accumulator(sums, 16), numbers({-32768, -32768, -32768, -1, 0, 32767, 32767, 32767}), 0);
  require_close(clamp_accumulator(sums, 32), numbers({-2147483648, -32769, -32768, -1, 0, 32767, 32768, 2147483647}),
                0);
  require_close(clamp_accumulator(sums, 2), numbers({-2, -2, -2, -1, 0, 1, 1, 1}), 0);
}

TEST_CASE("accumulator: real sums saturate where their integers do", "[ops]") {
  const auto sums = wild({3, 4, 5}).mul(1000).round();
  const auto scale = numbers({0.5, 0.01, 3, 1e-4});
  const auto spread = scale.reshape({1, 4, 1});
  require_close(clamp_accumulator(sums.mul(spread), 9, scale, 1), clamp_accumulator(sums, 9).mul(spread), 1e-12);
  require_close(clamp_accumulator(sums.mul(0.5), 9, at::scalar_tensor(0.5), -1), clamp_accumulator(sums, 9).mul(0.5),
                0);
  REQUIRE(clamp_accumulator(sums.to(at::kFloat), 9, scale, 1).scalar_type() == at::kFloat);
}

TEST_CASE("accumulator: other widths are refused", "[ops]") {
  require_error([] { accumulator_range(1); }, "an accumulator of 1 bits", "allowed are 2 to 32 bits");
  require_error([] { clamp_accumulator(numbers({1}), 33); }, "an accumulator of 33 bits");
}
