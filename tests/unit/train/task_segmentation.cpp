#include "small_graphs.h"
#include "support/check_error.h"
#include "train/task.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

#include <limits>

// The expected numbers are those of task_values.py.
namespace compress::train {
namespace {

using namespace compress::train::test;
using compress::test::require_error;

/// Logits of 3 classes for 2x2 pixels.
Graph pixel_classifier() {
  return parse_graph("graph g(image: float[N,3,2,2]) -> (logits = r)\nr = Relu(image)\n");
}

std::unique_ptr<Task> bound_segmentation(const std::string& arguments = "{}") {
  auto task = make(tasks(), "segmentation", arguments);
  task->bind(pixel_classifier(), {{"image", {3, 2, 2}, at::kFloat}, {"mask", {2, 2}, at::kByte, 3}});
  return task;
}

data::Batch masks(const std::vector<int64_t>& mask, at::ScalarType type = at::kByte) {
  const auto size = std::ssize(mask) / 4;
  return {.fields = {{"mask", at::tensor(mask, at::kLong).to(type).view({size, 2, 2})}}, .size = size};
}

at::Tensor pixel_logits(const std::vector<double>& logits) {
  return at::tensor(logits, at::kFloat).view({-1, 3, 2, 2});
}

const std::vector<double> kLogits = {0.0,  0.0, 2.0,  4.0,  -3.875, -2.875, 3.125,  4.125,  -1.75, -1.75, 3.25, -0.75,
                                     -2.0, 3.0, -2.0, -1.0, 1.125,  0.125,  -3.875, -3.875, 3.25,  2.25,  3.25, 0.25};
const std::vector<int64_t> kMask = {2, 0, 1, 2, 0, 255, 0, 1};

TEST_CASE("segmentation: miou, pixel accuracy and loss over the pixels whose class is known", "[train]") {
  for (const auto type : {at::kByte, at::kLong}) {
    const auto task = bound_segmentation();
    const auto meter = task->meter();
    const auto logits = pixel_logits(kLogits);
    meter->add({{"logits", logits.slice(0, 0, 1)}}, masks({kMask.begin(), kMask.begin() + 4}, type));
    meter->add({{"logits", logits.slice(0, 1, 2)}}, masks({kMask.begin() + 4, kMask.end()}, type));
    const auto metrics = meter->result();
    REQUIRE(metric(metrics, "miou") == Approx(8.333333333333332));
    REQUIRE(metric(metrics, "pixel_accuracy") == Approx(14.285714285714285));
    REQUIRE(metric(metrics, "loss") == Approx(3.3655402040203035));
    REQUIRE(task->loss({{"logits", logits}}, masks(kMask, type)).item<double>() == Approx(3.3655402040203035));
    REQUIRE(task->main_metric() == "miou");
    REQUIRE(task->higher_is_better());
  }
}

TEST_CASE("segmentation: a class that neither mask nor prediction has does not count", "[train]") {
  const auto meter = bound_segmentation()->meter();
  meter->add({{"logits", pixel_logits({5, 5, 0, 0, 0, 0, 5, 5, 0, 0, 0, 0})}}, masks({0, 0, 1, 1}));
  REQUIRE(metric(meter->result(), "miou") == Approx(100));
}

TEST_CASE("segmentation: logits that are no number are never right", "[train]") {
  const auto meter = bound_segmentation()->meter();
  meter->add({{"logits", at::zeros({1, 3, 2, 2}) * std::numeric_limits<double>::quiet_NaN()}}, masks({0, 1, 2, 0}));
  REQUIRE(metric(meter->result(), "miou") == 0);
  REQUIRE(metric(meter->result(), "pixel_accuracy") == 0);
}

TEST_CASE("segmentation: a mini-batch without any known pixel has loss 0", "[train]") {
  REQUIRE(
      bound_segmentation()->loss({{"logits", at::zeros({1, 3, 2, 2})}}, masks({255, 255, 255, 255})).item<double>() ==
      0);
}

TEST_CASE("segmentation: a class that the network lacks is named with its pixel", "[train]") {
  require_error(
      [] {
        bound_segmentation()->check_batch(masks({0, 1, 2, 255, 0, 0, 3, 0}));
      },
      "sample 1 of the mini-batch has class 3 at row 1, column 0 of its mask, but the model's output 'logits' has 3 "
      "classes (0 to 2)",
      "ignore_index is 255");
  require_error(
      [] {
        bound_segmentation("{ignore_index: -1}")->check_batch(masks({0, -1, 2, -2}, at::kLong));
      },
      "has class -2 at row 1, column 1");
}

TEST_CASE("segmentation: what does not fit the graph or the data is refused", "[train]") {
  const auto bind = [](const data::FieldInfo& mask, const std::string& arguments = "{}") {
    make(tasks(), "segmentation", arguments)->bind(pixel_classifier(), {{"image", {3, 2, 2}}, mask});
  };
  require_error([&] { bind({"label", {}, at::kLong}); }, "task 'segmentation' needs a field 'mask' of the data");
  require_error(
      [&] {
        bind({"mask", {2, 2}, at::kFloat});
      },
      "needs an integer for each pixel, but field 'mask' of the data is 2x2 of floating-point numbers");
  require_error(
      [&] {
        bind({"mask", {4, 4}, at::kByte});
      },
      "output 'logits' of 'g' has 2x2 pixels, but field 'mask' of the data 4x4", "Resize to the mask's size");
  require_error(
      [&] {
        bind({"mask", {2, 2}, at::kByte, 4});
      },
      "output 'logits' of 'g' has 3 classes, but field 'mask' of the data has 4");
  require_error(
      [&] {
        bind({"mask", {2, 2}, at::kByte}, "{ignore_index: 2}");
      },
      "ignore_index 2 is one of the 3 classes of output 'logits'", "for example -1");
  require_error(
      [&] {
        make(tasks(), "segmentation")
            ->bind(parse_graph("graph h(x: float[N,3]) -> (y = r)\nr = Relu(x)\n"), {{"mask", {2, 2}, at::kByte}});
      },
      "needs an output of [classes, height, width], but 'y' of 'h' is 3 for each sample");
}

}  // namespace
}  // namespace compress::train
