#include "data/dataset.h"
#include "data_files.h"
#include "support/check_error.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>

#include <catch2/catch.hpp>

#include <set>

namespace compress::data {
namespace {

using namespace compress::data::test;

/// 2x3 images of 0, 10, 20 and so on, with the given augmentation.
DatasetPtr small_images(const Augmentation& augmentation) {
  const DataFolder folder;
  auto config = config_of(write_small_idx(folder));
  config.augmentation = augmentation;
  config.mean = config.std = std::vector<double>{};
  return open_splits(config, 1).train;
}

at::Tensor images(const DatasetPtr& data, const std::vector<int64_t>& indices, const Draw& draw) {
  return data->batch(indices, draw).at("image").mul(255).round();
}

std::vector<float> numbers(const at::Tensor& image) {
  const auto flat = image.flatten().contiguous();
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

TEST_CASE("augment: the change of a sample is a function of seed, epoch and index", "[data]") {
  const auto both = small_images({.random_crop_padding = 2, .horizontal_flip = true});
  const auto together = images(both, {0, 1, 2, 3}, {7, 2});
  for (int64_t i = 0; i < 4; ++i) REQUIRE(images(both, {i}, {7, 2})[0].equal(together[i]));
  REQUIRE_FALSE(images(both, {0, 1, 2, 3}, {7, 3}).equal(together));
  REQUIRE_FALSE(images(both, {0, 1, 2, 3}, {8, 2}).equal(together));
}

TEST_CASE("augment: a flip mirrors rows, and happens about half of the time", "[data]") {
  const auto data = small_images({.horizontal_flip = true});
  int mirrored = 0;
  for (int64_t epoch = 0; epoch < 100; ++epoch) {
    const auto image = numbers(images(data, {0}, {1, epoch}));
    if (image == std::vector<float>{20, 10, 0, 50, 40, 30})
      ++mirrored;
    else
      REQUIRE(image == std::vector<float>{0, 10, 20, 30, 40, 50});
  }
  REQUIRE(mirrored > 30);
  REQUIRE(mirrored < 70);
}

TEST_CASE("augment: a crop shifts the image by up to the padding and fills with zeros", "[data]") {
  const auto data = small_images({.random_crop_padding = 1});
  std::set<std::vector<float>> seen;
  for (int64_t epoch = 0; epoch < 200; ++epoch) seen.insert(numbers(images(data, {3}, {1, epoch})));
  REQUIRE(seen.size() == 9);
  REQUIRE(seen.contains({180, 190, 200, 210, 220, 230}));
  REQUIRE(seen.contains({0, 0, 0, 0, 180, 190}));
  REQUIRE(seen.contains({220, 230, 0, 0, 0, 0}));
}

TEST_CASE("augment: a random resized crop of stored images keeps their size and follows the draws", "[data]") {
  const auto data =
      small_images({.random_resized_crop = RandomResizedCrop{.smallest_scale = 0.2, .largest_scale = 0.5}});
  std::set<std::vector<float>> seen;
  for (int64_t epoch = 0; epoch < 50; ++epoch) {
    const auto image = images(data, {1}, {1, epoch});
    REQUIRE(image.sizes().vec() == Shape{1, 1, 2, 3});
    REQUIRE(image.min().item<float>() >= 60);
    REQUIRE(image.max().item<float>() <= 110);
    seen.insert(numbers(image));
  }
  REQUIRE(seen.size() > 2);
}

/// 16x16 images whose mask says the same as the image: each pixel is the number of its mask.
class Told final : public Dataset {
public:
  explicit Told(at::ScalarType type) : type_(type) {}
  int64_t size() const override { return 8; }
  std::vector<FieldInfo> fields() const override {
    return {{"image", {1, 16, 16}, at::kByte}, {"mask", {16, 16}, type_, 250}};
  }
  Batch batch(std::span<const int64_t> indices, const Draw&) const override {
    const auto mask = at::arange(256, at::kByte).remainder(250).view({1, 16, 16}).repeat({std::ssize(indices), 1, 1});
    return {.fields = {{"image", mask.unsqueeze(1).clone()}, {"mask", mask.to(type_).clone()}},
            .size = std::ssize(indices)};
  }

private:
  at::ScalarType type_;
};

TEST_CASE("augment: a mask moves with its image; outside it is unknown", "[data]") {
  for (const auto type : {at::kByte, at::kLong}) {
    const auto data = augment(std::make_shared<Told>(type), {.random_crop_padding = 3, .horizontal_flip = true});
    for (int64_t epoch = 0; epoch < 20; ++epoch) {
      const auto batch = data->batch(std::vector<int64_t>{0, 5}, {1, epoch});
      const auto image = batch.at("image").squeeze(1).to(at::kLong), mask = batch.at("mask").to(at::kLong);
      const auto outside = mask.eq(kUnknownClass);
      REQUIRE(image.masked_fill(outside, kUnknownClass).equal(mask));
      REQUIRE(image.masked_select(outside).sum().item<int64_t>() == 0);
    }
  }
}

TEST_CASE("augment: a random resized crop takes the same part of image and mask", "[data]") {
  const RandomResizedCrop exact{.smallest_scale = 0.25, .largest_scale = 0.25, .smallest_ratio = 1, .largest_ratio = 1};
  const auto data = augment(std::make_shared<Told>(at::kByte), {.random_resized_crop = exact});
  const auto batch = data->batch(std::vector<int64_t>{3}, {1, 1});
  // 8x8 pixels become 16x16: the image's mean over a pixel's four copies is near the mask's number.
  const auto image = batch.at("image")[0][0].to(at::kFloat), mask = batch.at("mask")[0].to(at::kFloat);
  const auto middle = [](const at::Tensor& table) { return table.slice(0, 4, 12).slice(1, 4, 12); };
  REQUIRE(middle(image).sub(middle(mask)).abs().max().item<float>() <= 5);
}

TEST_CASE("augment: what the images cannot take is refused", "[data]") {
  const auto refuse = [](const char* name, Augmentation augmentation) {
    auto config = config_of(name);
    config.augmentation = augmentation;
    return compress::test::error_text([&] { open_splits(config, 1); });
  };
  using Catch::Contains;
  REQUIRE_THAT(refuse("synthetic_mnist", {.color_jitter = ColorJitter{.hue = 0.1}}),
               Contains("color_jitter needs images of 3 channels, but 'image' is 1x28x28"));
  REQUIRE_THAT(refuse("synthetic_regression", {.horizontal_flip = true}),
               Contains("augment changes 8-bit images, but the data set has none") && Contains("augment: none"));
}

}  // namespace
}  // namespace compress::data
