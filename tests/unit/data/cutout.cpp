#include "data_files.h"

#include <ATen/core/Tensor.h>

#include <catch2/catch.hpp>

#include <set>

namespace compress::data {
namespace {

using namespace compress::data::test;

DatasetPtr cut_images(int64_t side) {
  auto config = config_of("synthetic");
  config.augmentation = Augmentation{.cutout = side};
  return open_splits(config, 1).train;
}

TEST_CASE("cutout: a square of the mean colour, cut off at the border, in every channel", "[data]") {
  const auto plain = cut_images(0), cut = cut_images(6);
  std::set<int64_t> sizes;
  for (int64_t epoch = 0; epoch < 60; ++epoch) {
    const std::vector<int64_t> sample = {7};
    const auto before = plain->batch(sample, {1, epoch}).at("image"),
               after = cut->batch(sample, {1, epoch}).at("image");
    const auto zero = after.eq(0).all(1);
    REQUIRE(after.masked_fill(zero.unsqueeze(1), 1).equal(before.masked_fill(zero.unsqueeze(1), 1)));
    sizes.insert(zero.sum().item<int64_t>());
  }
  REQUIRE(*sizes.rbegin() == 36);
  REQUIRE(*sizes.begin() >= 9);
  REQUIRE(sizes.size() > 3);
}

TEST_CASE("cutout: the place is a function of seed, epoch and sample", "[data]") {
  const auto data = cut_images(8);
  const std::vector<int64_t> both = {3, 4}, second = {4};
  REQUIRE(data->batch(both, {1, 2}).at("image")[1].equal(data->batch(second, {1, 2}).at("image")[0]));
  REQUIRE_FALSE(data->batch(second, {1, 2}).at("image").equal(data->batch(second, {1, 3}).at("image")));
}

}  // namespace
}  // namespace compress::data
