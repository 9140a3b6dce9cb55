#include "builder.h"

#include "exec/plan.h"
#include "support/check_error.h"
#include "support/close.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/max_pool2d.h>

#include <catch2/catch.hpp>

#include <cmath>

namespace compress {

using models::Builder;
using test::require_close;
using test::require_error;

namespace {

at::Tensor ramp(int64_t size) {
  return at::arange(2 * 2 * size * size, at::kFloat).reshape({2, 2, size, size}).sin();
}

at::Tensor run_one(const Graph& graph, const at::Tensor& x) {
  return exec::Plan(graph).run({&x, 1})[0];
}

const at::Tensor& weight(const Graph& graph, const char* name) {
  return graph.parameter(name).value;
}

double variance(const at::Tensor& values) {
  return values.square().mean().item<double>();
}

}  // namespace

TEST_CASE("builder: adaptive pooling averages as PyTorch does", "[models]") {
  // The same size, whole windows, overlapping ones at uneven places, repeated single values.
  for (const auto& [in, out] : std::vector<std::pair<int64_t, int64_t>>{{7, 7}, {14, 7}, {14, 4}, {1, 7}, {6, 1}}) {
    INFO(in << " to " << out);
    Builder net({2, in, in}, 1);
    const auto graph = net.finish(net.relu("relu", net.adaptive_average_pool("pool", net.input(), out)));
    const auto x = ramp(in);
    require_close(run_one(graph, x), at::adaptive_avg_pool2d(x, {out, out}).relu(), 1e-6);
  }
}

TEST_CASE("builder: adaptive pooling with windows of several sizes is refused", "[models]") {
  require_error([] { models::build_model("vgg11?resolution=160", std::nullopt); },
                "'avgpool' cannot average a map of 5x5 to 7x7", "choose another resolution");
}

TEST_CASE("builder: pooling that rounds up has PyTorch's size", "[models]") {
  for (const int64_t size : {6, 7, 8}) {
    Builder net({2, size, size}, 1);
    const auto x = ramp(size);
    auto y = net.max_pool("pool", net.input(), {.kernel = 3, .stride = 2, .padding = 1, .ceil = true});
    y = net.conv("conv", y, {.channels = 1, .kernel = 1});
    const auto graph = net.finish(y);
    const auto expected = at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1}, {1, 1}, true);
    REQUIRE(run_one(graph, x).size(2) == expected.size(2));
  }
}

TEST_CASE("builder: an image that is too small is refused", "[models]") {
  require_error([] { models::build_model("alexnet?resolution=32", std::nullopt); }, "the resolution is too small",
                "'features.12' has a window of 3 for a map of 1x1");
  require_error([] { models::build_model("alexnet?resolution=5", std::nullopt); },
                "'features.0' has a kernel of 11 for a map of 5x5");
}

TEST_CASE("builder: weights start with the variance that their networks ask for", "[models]") {
  const auto resnet = models::build_model("resnet18", 1);
  REQUIRE(variance(weight(resnet, "layer4.1.conv2.weight")) == Approx(2.0 / (512 * 9)).epsilon(0.01));
  REQUIRE(std::sqrt(3 * variance(weight(resnet, "fc.weight"))) == Approx(1 / std::sqrt(512.0)).epsilon(0.01));
  REQUIRE(weight(resnet, "fc.bias").count_nonzero().item<int64_t>() == 1000);
  const auto vgg = models::build_model("vgg11?width=0.25&resolution=32", 1);
  REQUIRE(variance(weight(vgg, "classifier.3.weight")) == Approx(1e-4).epsilon(0.01));
  REQUIRE(weight(vgg, "features.0.bias").count_nonzero().item<int64_t>() == 0);
  const auto squeezenet = models::build_model("squeezenet1_1", 1);
  REQUIRE(variance(weight(squeezenet, "features.12.expand3x3.weight")) == Approx(2.0 / (64 * 9)).epsilon(0.02));
  const auto lite = models::build_model("efficientnet_lite0", 1);
  REQUIRE(variance(weight(lite, "blocks.5.1.conv_dw.weight")) == Approx(2.0 / 25).epsilon(0.05));
}

TEST_CASE("builder: without a seed weights have their shape and take no memory", "[models]") {
  const auto graph = models::build_model("vgg16", std::nullopt);
  const auto& value = weight(graph, "classifier.0.weight");
  REQUIRE(value.sizes() == at::IntArrayRef{4096, 25088});
  REQUIRE(value.storage().nbytes() == 4);
}

TEST_CASE("builder: widths are rounded as MobileNets do", "[models]") {
  REQUIRE(models::divisible(32) == 32);
  REQUIRE(models::divisible(16 * 0.35) == 8);
  REQUIRE(models::divisible(24 * 0.75) == 24);  // 16 would be less than nine tenths of 18
  REQUIRE(models::divisible(100) == 104);
  REQUIRE(models::scaled(3, 0.1) == 1);
}

}  // namespace compress
