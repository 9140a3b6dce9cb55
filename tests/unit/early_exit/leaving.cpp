#include "early_exit/leaving.h"

#include "support/tensors.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace compress;
using namespace compress::early_exit;

namespace {

double entropy_of(const std::vector<double>& logits) {
  return normalized_entropy(test::numbers(logits).unsqueeze(0)).item<double>();
}

std::vector<bool> leaving(const at::Tensor& logits, double threshold) {
  std::vector<bool> result;
  const auto mask = leaves(logits, threshold);
  for (int64_t i = 0; i < mask.size(0); ++i) result.push_back(mask[i].item<bool>());
  return result;
}

}  // namespace

TEST_CASE("normalised entropy: hand numbers", "[early_exit]") {
  REQUIRE(entropy_of({3, 3, 3, 3}) == Approx(1));
  // Probabilities 3/4 and 1/4: -(0.75 log2 0.75 + 0.25 log2 0.25).
  REQUIRE(entropy_of({std::log(3.0), 0}) == Approx(0.8112781245));
  // 1/2, 1/4, 1/4: 1.5 bits of log2(3).
  REQUIRE(entropy_of({std::log(2.0), 0, 0}) == Approx(1.5 / std::log2(3.0)));
  REQUIRE(entropy_of({1000, 0, -1000}) == 0);
  REQUIRE(entropy_of({-std::numeric_limits<double>::infinity(), 0, 0}) == Approx(std::log(2.0) / std::log(3.0)));
  REQUIRE(entropy_of({5}) == 0);
}

TEST_CASE("leaving: below the threshold; 0 lets nobody go, 1 everybody", "[early_exit]") {
  const auto logits = test::numbers({0, 0, std::log(3.0), 0, 1000, 0}).view({3, 2});
  REQUIRE(leaving(logits, 0.9) == std::vector<bool>{false, true, true});
  REQUIRE(leaving(logits, 0.5) == std::vector<bool>{false, false, true});
  REQUIRE(leaving(logits, 0) == std::vector<bool>{false, false, false});
  REQUIRE(leaving(logits, 1) == std::vector<bool>{true, true, true});
}

TEST_CASE("leaving: logits that are no numbers go on", "[early_exit]") {
  const auto logits = test::numbers({std::nan(""), 1, 9, 0}).view({2, 2});
  REQUIRE(leaving(logits, 0.99) == std::vector<bool>{false, true});
}
