#include "data/loader.h"

#include "data_files.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

namespace compress::data {
namespace {

using namespace compress::data::test;

std::vector<Batch> all_batches(const DatasetPtr& data, int64_t size, Order order, Draw draw, int64_t prefetch) {
  Loader loader(data, size, order, draw, prefetch);
  std::vector<Batch> batches;
  for (Batch batch; loader.next(batch);) batches.push_back(std::move(batch));
  REQUIRE(loader.batches() == std::ssize(batches));
  return batches;
}

bool same(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!a[i].at("image").equal(b[i].at("image")) || !a[i].at("label").equal(b[i].at("label"))) return false;
  return true;
}

TEST_CASE("loader: same seed and epoch, same batches, with and without prefetching", "[data]") {
  auto config = config_of("synthetic");
  config.augmentation = Augmentation{.random_crop_padding = 2, .horizontal_flip = true};
  const auto data = open_splits(config, 1).train;
  const auto batches = all_batches(data, 300, Order::shuffled, {5, 1}, 2);
  REQUIRE(batches.size() == 7);
  REQUIRE(batches.back().size == 2048 - 6 * 300);
  REQUIRE(same(batches, all_batches(data, 300, Order::shuffled, {5, 1}, 2)));
  REQUIRE(same(batches, all_batches(data, 300, Order::shuffled, {5, 1}, 0)));
  REQUIRE_FALSE(same(batches, all_batches(data, 300, Order::shuffled, {5, 2}, 2)));
  REQUIRE_FALSE(same(batches, all_batches(data, 300, Order::shuffled, {6, 1}, 2)));
}

TEST_CASE("loader: the number of threads changes no bit", "[data]") {
  const auto data = augment(open_splits(config_of("synthetic_segmentation"), 1).train, {});
  Loader alone(data, 100, Order::shuffled, {5, 1}, 0), many(data, 100, Order::shuffled, {5, 1}, 16);
  Batch a, b;
  while (alone.next(a)) {
    REQUIRE(many.next(b));
    REQUIRE(a.at("image").equal(b.at("image")));
    REQUIRE(a.at("mask").equal(b.at("mask")));
  }
  REQUIRE_FALSE(many.next(b));
  REQUIRE_FALSE(many.next(b));
}

TEST_CASE("loader: a shuffled pass has every sample once", "[data]") {
  const auto data = open_splits(config_of("synthetic"), 1).train;
  double shuffled = 0, sequential = 0;
  for (const auto& batch : all_batches(data, 256, Order::shuffled, {5, 1}, 3))
    shuffled += batch.at("image").sum().item<double>();
  for (const auto& batch : all_batches(data, 256, Order::sequential, {5, 1}, 3))
    sequential += batch.at("image").sum().item<double>();
  REQUIRE(shuffled == Approx(sequential).epsilon(1e-4));
}

TEST_CASE("loader: it can be left in the middle of a pass", "[data]") {
  Loader loader(open_splits(config_of("synthetic"), 1).train, 16, Order::shuffled, {1, 1}, 2);
  Batch batch;
  REQUIRE(loader.next(batch));
}

class Broken final : public Dataset {
public:
  int64_t size() const override { return 10; }
  std::vector<FieldInfo> fields() const override { return {}; }
  Batch batch(std::span<const int64_t> indices, const Draw&) const override {
    if (indices[0] >= 4) throw run_error("cannot read sample {}", indices[0]);
    return {.size = std::ssize(indices)};
  }
};

TEST_CASE("loader: an error of the reading thread reaches the caller after the batches before it", "[data]") {
  const int64_t prefetch = GENERATE(1, 4);
  Loader loader(std::make_shared<Broken>(), 2, Order::sequential, {}, prefetch);
  Batch batch;
  REQUIRE(loader.next(batch));
  REQUIRE(loader.next(batch));
  compress::test::require_error([&] { loader.next(batch); }, "cannot read sample 4");
  REQUIRE_FALSE(loader.next(batch));
}

}  // namespace
}  // namespace compress::data
