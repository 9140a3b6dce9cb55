#include "analysis/activation_statistics.h"

#include "support/check_error.h"

#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

using namespace compress;
using analysis::ActivationStatistics;

namespace {

/// [2, 2, 3, 3]: the value of Distiller's test cases.
at::Tensor distillers() {
  return at::tensor({1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 0, 2, 0, 3, 0, 4, 0, 5,
                     4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 6, 0, 7, 0, 8, 0, 9, 0},
                    at::kFloat)
      .view({2, 2, 3, 3});
}

void require_close(const at::Tensor& found, const std::vector<double>& expected) {
  REQUIRE(found.numel() == static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i)
    REQUIRE(found[static_cast<int64_t>(i)].item<double>() == Approx(expected[i]).epsilon(1e-12));
}

}  // namespace

TEST_CASE("activation_statistics: Distiller's test cases") {
  ActivationStatistics statistics;
  statistics.add(distillers());
  const auto values = statistics.values();
  require_close(values.l1, {10.5, 22.5});
  require_close(values.apoz, {66.66666666666667, 50});
  require_close(values.mean, {1.1666666666666667, 2.5});
  REQUIRE(values.sparsity == Approx(100 * 21.0 / 36));
  REQUIRE(values.samples == 2);
}

TEST_CASE("activation_statistics: every sample weighs the same, however they are cut into batches") {
  const at::Tensor value = at::randn({7, 3, 5}).clamp_min(0);
  ActivationStatistics whole, parts;
  whole.add(value);
  parts.add(value.narrow(0, 0, 4));
  parts.add(value.narrow(0, 4, 3));
  REQUIRE(parts.values().apoz.allclose(whole.values().apoz));
  REQUIRE(parts.values().mean.allclose(whole.values().mean));
  REQUIRE(parts.values().l1.allclose(whole.values().l1));
  REQUIRE(whole.values().l1.allclose(value.abs().sum(2).mean(0).to(at::kDouble)));
}

TEST_CASE("activation_statistics: channels may be the features of a linear layer or stand last") {
  ActivationStatistics features, last(-1);
  features.add(at::tensor({1., 0., -2., 0.}).view({2, 2}));
  require_close(features.values().apoz, {0, 100});
  require_close(features.values().mean, {-0.5, 0});
  last.add(distillers().permute({0, 2, 3, 1}));
  require_close(last.values().l1, {10.5, 22.5});
}

TEST_CASE("activation_statistics: statistics that were saved go on bit by bit") {
  const at::Tensor value = at::randn({6, 3, 4});
  ActivationStatistics straight, first, second;
  straight.add(value);
  straight.add(value.abs());
  first.add(value);
  second.load(first.state());
  second.add(value.abs());
  REQUIRE(second.values().mean.equal(straight.values().mean));
  REQUIRE(second.samples() == 12);
  second.load({});
  REQUIRE(second.samples() == 0);
  REQUIRE(second.state().empty());
}

TEST_CASE("activation_statistics: values that have no such channels are refused") {
  ActivationStatistics statistics;
  test::require_error([&] { statistics.values(); }, "no activations were seen");
  test::require_error([&] { statistics.add(at::zeros({4})); }, "a value of shape 4 has no channels on axis 1");
  statistics.add(at::zeros({0, 2, 3}));
  REQUIRE(statistics.samples() == 0);
  statistics.add(at::zeros({1, 2, 3}));
  test::require_error([&] { statistics.add(at::zeros({1, 3, 3})); }, "2 channels were given a value with 3");
}
