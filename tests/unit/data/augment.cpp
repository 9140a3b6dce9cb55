#include "data/dataset.h"
#include "data_files.h"

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

}  // namespace
}  // namespace compress::data
