#include "small_graphs.h"
#include "support/check_error.h"
#include "train/task.h"

#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

namespace compress::train {
namespace {

using namespace compress::train::test;
using compress::test::require_error;

Graph copier() {
  return parse_graph("graph g(image: float[N,1,1,2]) -> (copy = r)\nr = Relu(image)\n");
}

std::unique_ptr<Task> bound_reconstruction(const std::string& arguments = "{}") {
  auto task = make(tasks(), "reconstruction", arguments);
  task->bind(copier(), {{"image", {1, 1, 2}, at::kFloat}});
  return task;
}

at::Tensor pixel_pairs(const std::vector<double>& values) {
  return at::tensor(values, at::kFloat).view({-1, 1, 1, 2});
}

data::Batch image_batch(const std::vector<double>& values) {
  return {.fields = {{"image", pixel_pairs(values)}}, .size = std::ssize(values) / 2};
}

TEST_CASE("reconstruction: psnr is the mean over samples, at most 100 dB; mse and mae over all numbers", "[train]") {
  const auto task = bound_reconstruction();
  const auto meter = task->meter();
  meter->add({{"copy", pixel_pairs({0.5, 0.6, 1, 1})}}, image_batch({0.5, 0.5, 1, 1}));
  meter->add({{"copy", pixel_pairs({0, 0})}}, image_batch({1, 1}));
  const auto metrics = meter->result();
  REQUIRE(metric(metrics, "psnr") == Approx((10 * std::log10(1 / 0.005) + 100 + 0) / 3));
  REQUIRE(metric(metrics, "mse") == Approx((0.01 + 2) / 6));
  REQUIRE(metric(metrics, "mae") == Approx((0.1 + 2) / 6));
  REQUIRE(metric(metrics, "loss") == Approx((0.01 + 2) / 6));
  REQUIRE(task->main_metric() == "psnr");
  REQUIRE(task->higher_is_better());
}

TEST_CASE("reconstruction: the loss is a choice, the range of the numbers shifts psnr", "[train]") {
  const auto copy = pixel_pairs({0.5, 0.6}), image = pixel_pairs({0.5, 0.2});
  const data::Batch batch{.fields = {{"image", image}}, .size = 1};
  REQUIRE(bound_reconstruction()->loss({{"copy", copy}}, batch).item<double>() == Approx(0.08));
  const auto l1 = bound_reconstruction("{loss: l1, range: 2}");
  REQUIRE(l1->loss({{"copy", copy}}, batch).item<double>() == Approx(0.2));
  const auto meter = l1->meter();
  meter->add({{"copy", copy}}, batch);
  REQUIRE(metric(meter->result(), "loss") == Approx(0.2));
  REQUIRE(metric(meter->result(), "psnr") == Approx(10 * std::log10(4 / 0.08)));
}

TEST_CASE("reconstruction: the target is the only field that is no label, or the one that is named", "[train]") {
  const auto bind = [](const std::vector<data::FieldInfo>& fields, const std::string& arguments = "{}") {
    make(tasks(), "reconstruction", arguments)->bind(copier(), fields);
  };
  const data::FieldInfo image{"image", {1, 1, 2}}, other{"other", {1, 1, 2}}, label{"label", {}, at::kLong};
  bind({image, label});
  bind({image, other}, "{target: other}");
  require_error([&] { bind({image, other}); }, "which field is copied; the data have: image, other", "target: FIELD");
  require_error([&] { bind({image}, "{target: imag}"); }, "needs a field 'imag'", "did you mean 'image'?");
  require_error(
      [&] {
        bind({{"image", {1, 4, 4}}});
      },
      "output 'copy' of 'g' is 1x1x2 for each sample, but field 'image' of the data is 1x4x4");
  require_error([&] { bind({{"image", {1, 1, 2}, at::kLong}}); }, "needs floating-point numbers");
  require_error([&] { bind({image}, "{loss: l2}"); }, "l2");
}

}  // namespace
}  // namespace compress::train
