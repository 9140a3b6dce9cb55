#include "data/dataset.h"
#include "data/loader.h"
#include "data_files.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

#include <set>

namespace compress::data {
namespace {

using namespace compress::data::test;
using compress::test::require_error;

/// The first pixels of each image, which tell the images apart.
std::vector<std::vector<float>> first_pixels(const DatasetPtr& data) {
  std::vector<std::vector<float>> pixels;
  Loader loader(data, 100, Order::sequential, {});
  for (Batch batch; loader.next(batch);)
    for (int64_t i = 0; i < batch.size; ++i) {
      const auto row = batch.at("image")[i][0][0].contiguous();
      pixels.emplace_back(row.const_data_ptr<float>(), row.const_data_ptr<float>() + row.numel());
    }
  return pixels;
}

TEST_CASE("splits: validation is cut from the training files by seed and shares no sample with training", "[data]") {
  auto config = config_of("synthetic");
  config.validation_split = 0.25;
  const auto splits = open_splits(config, 3);
  REQUIRE(splits.train->size() == 1536);
  REQUIRE(splits.validation->size() == 512);
  REQUIRE(splits.calibration->size() == 1536);
  const auto train = first_pixels(splits.train), validation = first_pixels(splits.validation);
  std::set<std::vector<float>> all(train.begin(), train.end());
  all.insert(validation.begin(), validation.end());
  REQUIRE(all.size() == 2048);
  REQUIRE(first_pixels(open_splits(config, 3).validation) == validation);
  REQUIRE(first_pixels(open_splits(config, 4).validation) != validation);
}

TEST_CASE("splits: limits choose samples by seed", "[data]") {
  auto config = config_of("synthetic");
  config.validation_split = 0.5;
  config.limits = {{"train", 30}, {"validation", 20}, {"test", 10}};
  const auto splits = open_splits(config, 3);
  REQUIRE(splits.train->size() == 30);
  REQUIRE(splits.validation->size() == 20);
  REQUIRE(splits.test->size() == 10);
  REQUIRE(first_pixels(splits.train) == first_pixels(open_splits(config, 3).train));
  REQUIRE(first_pixels(splits.train) != first_pixels(open_splits(config, 4).train));
}

TEST_CASE("splits: a validation share that leaves nothing is refused", "[data]") {
  const DataFolder folder;
  auto config = config_of(write_small_idx(folder));
  config.validation_split = 0.1;
  require_error([&] { open_splits(config, 1); },
                "validation_split 0.1 of 4 training samples leaves none for validation");
  config.validation_split = 0.9;
  require_error([&] { open_splits(config, 1); }, "leaves none for training");
}

TEST_CASE("splits: only training images are augmented; the recipe's words beat the data set's", "[data]") {
  auto config = config_of("synthetic");
  config.augmentation = Augmentation{.random_crop_padding = 2, .horizontal_flip = true};
  config.mean = std::vector<double>{};
  config.std = std::vector<double>{};
  const auto splits = open_splits(config, 1);
  const std::vector<int64_t> indices = {0, 1, 2, 3};
  const auto plain = splits.calibration->batch(indices, {1, 0}).at("image");
  REQUIRE_FALSE(splits.train->batch(indices, {1, 0}).at("image").equal(plain));
  REQUIRE(plain.min().item<float>() >= 0);
  REQUIRE(plain.max().item<float>() <= 1);
}

TEST_CASE("splits: a normalisation for another number of channels is refused", "[data]") {
  auto config = config_of("synthetic");
  config.mean = std::vector{0.1, 0.2};
  config.std = std::vector{1.0, 1.0};
  require_error([&] { open_splits(config, 1); }, "normalize has 2 numbers, but 'image' has 3 channels (3x16x16)");
}

}  // namespace
}  // namespace compress::data
