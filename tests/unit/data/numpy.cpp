#include "core/text.h"
#include "data_files.h"
#include "support/check_error.h"

#include <ATen/core/Tensor.h>

#include <catch2/catch.hpp>

#include <filesystem>
#include <set>

namespace compress::data {
namespace {

using namespace compress::data::test;
using compress::test::require_error;

/// A .npy file of consecutive numbers from `first`, each `step` more; type "|u1" or "<i8" or "<f4".
template <class T>
std::string npy_file(const std::string& type, const Shape& shape, T first, T step) {
  std::string sizes;
  int64_t count = 1;
  for (const int64_t size : shape) {
    sizes += std::to_string(size) + ",";
    count *= size;
  }
  auto header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, sizes);
  header.resize(118 - 1, ' ');
  header += '\n';
  std::string bytes = std::string("\x93NUMPY\1\0\x76\0", 10) + header;
  for (int64_t i = 0; i < count; ++i, first = static_cast<T>(first + step))
    bytes.append(reinterpret_cast<const char*>(&first), sizeof first);
  return bytes;
}

Splits numpy_splits(const DataFolder& folder, const std::string& settings = "{}") {
  DataConfig config = config_of("numpy");
  config.path = folder.path();
  config.format_settings = parse_yaml(settings, "recipe.yaml");
  return open_splits(config, 1);
}

Batch first_two(const DatasetPtr& data) {
  return data->batch(std::vector<int64_t>{0, 1}, {});
}

TEST_CASE("numpy: files by split; channels-last images and labels become what networks take", "[data]") {
  const DataFolder folder;
  folder.write("x_train.npy", npy_file<uint8_t>("|u1", {4, 2, 5, 3}, 0, 1));
  folder.write("y_train.npy", npy_file<int64_t>("<i8", {4}, 0, 1));
  folder.write("x_test.npy", npy_file<uint8_t>("|u1", {2, 2, 5, 3}, 100, 1));
  folder.write("y_test.npy", npy_file<int64_t>("<i8", {2}, 3, -1));
  const auto splits = numpy_splits(folder);
  REQUIRE(splits.info.task == "classification");
  REQUIRE(splits.train->size() == 4);
  const auto batch = first_two(splits.test);
  REQUIRE(batch.at("image").sizes().vec() == Shape{2, 3, 2, 5});
  REQUIRE(batch.at("image")[0][2][1][4].item<float>() == Approx(129.0 / 255));
  REQUIRE(batch.at("label")[0].item<int64_t>() == 3);
  REQUIRE(splits.train->fields()[1].classes == 4);
}

TEST_CASE("numpy: folders of splits; grey images get their channel", "[data]") {
  const DataFolder folder;
  for (const char* split : {"train", "val"}) {
    std::filesystem::create_directory(folder.file(split));
    folder.write(std::string(split) + "/images.npy", npy_file<uint8_t>("|u1", {3, 2, 2}, 0, 20));
    folder.write(std::string(split) + "/labels.npy", npy_file<int64_t>("<i8", {3, 1}, 0, 0));
  }
  const auto splits = numpy_splits(folder);
  REQUIRE(first_two(splits.test).at("image").sizes().vec() == Shape{2, 1, 2, 2});
  REQUIRE(first_two(splits.test).at("label").sizes().vec() == Shape{2});
}

TEST_CASE("numpy: x is an image when it has three axes, or two of bytes", "[data]") {
  const auto shape_of_x = [](const std::string& bytes) {
    const DataFolder folder;
    folder.write("x.npy", bytes);
    const auto field = numpy_splits(folder).train->fields()[0];
    return field.name + " " + shape_text(field.shape);
  };
  REQUIRE(shape_of_x(npy_file<uint8_t>("|u1", {10, 2, 3}, 0, 1)) == "image 1x2x3");
  REQUIRE(shape_of_x(npy_file<float>("<f4", {10, 2, 3}, 0, 1)) == "x 2x3");
  REQUIRE(shape_of_x(npy_file<float>("<f4", {10, 5, 5, 3}, 0, 1)) == "image 3x5x5");
}

TEST_CASE("numpy: without split in the names a share is held out by seed", "[data]") {
  const DataFolder folder;
  folder.write("x.npy", npy_file<float>("<f4", {10, 1}, 0, 1));
  folder.write("y.npy", npy_file<float>("<f4", {10, 1}, 0, 2));
  const auto splits = numpy_splits(folder, "{test_share: 0.3, seed: 5}");
  REQUIRE(splits.info.task == "regression");
  REQUIRE(splits.train->size() == 7);
  REQUIRE(splits.test->size() == 3);
  std::set<float> all;
  for (const auto& split : {splits.train, splits.test})
    for (int64_t i = 0; i < split->size(); ++i) {
      const auto sample = split->batch(std::vector<int64_t>{i}, {});
      all.insert(sample.at("x").item<float>());
      REQUIRE(sample.at("y").item<float>() == 2 * sample.at("x").item<float>());
    }
  REQUIRE(all.size() == 10);
  require_error([&] { numpy_splits(folder, "{test_share: 0.01}"); },
                "holds 10 samples; test_share 0.01 of them leaves none");
}

TEST_CASE("numpy: the fields suggest the task", "[data]") {
  const auto task = [](const std::string& name, const std::string& bytes) {
    const DataFolder folder;
    folder.write("image.npy", npy_file<uint8_t>("|u1", {10, 1, 2, 2}, 0, 1));
    if (!name.empty()) folder.write(name, bytes);
    const auto splits = numpy_splits(folder);
    return splits.info.task + " " + splits.train->fields().back().name;
  };
  REQUIRE(task("mask.npy", npy_file<uint8_t>("|u1", {10, 2, 2}, 0, 0)) == "segmentation mask");
  REQUIRE(task("labels.npy", npy_file<uint8_t>("|b1", {10, 5}, 0, 0)) == "multi_label labels");
  REQUIRE(task("y.npy", npy_file<float>("<f4", {10, 5}, 0, 0)) == "regression y");
  REQUIRE(task("", "") == "reconstruction image");
}

TEST_CASE("numpy: fields can be named, their numbers and axes chosen", "[data]") {
  const DataFolder folder;
  folder.write("pictures.npy", npy_file<uint8_t>("|u1", {10, 3, 3, 3}, 0, 1));
  folder.write("kinds.npy", npy_file<int64_t>("<i8", {10}, 0, 0));
  folder.write("tokens.npy", npy_file<int64_t>("<i8", {10, 4}, 0, 1));
  const auto splits = numpy_splits(
      folder, "{fields: {image: pictures, label: kinds, x: tokens}, layout: channels_last, types: {x: float32}}");
  const auto batch = splits.train->batch(std::vector<int64_t>{0}, {});
  REQUIRE(batch.fields.size() == 3);
  REQUIRE(batch.at("x").scalar_type() == at::kFloat);
  require_error([&] { numpy_splits(folder, "{fields: {image: photos}}"); },
                "format_settings.fields: there is no array 'photos' for field 'image'",
                "'kinds', 'pictures' and 'tokens'");
  require_error([&] { numpy_splits(folder, "{fields: {label: kinds}, types: {label: int}}"); },
                "'int' is no type for 'label'", "uint8, int64 or float32");
  require_error([&] { numpy_splits(folder, "{feilds: {}}"); }, "did you mean 'fields'?");
  require_error([&] { numpy_splits(folder, "[1]"); }, "data.format_settings takes a map");
  REQUIRE(numpy_splits(folder).train->batch(std::vector<int64_t>{0}, {}).at("tokens").scalar_type() == at::kLong);
}

TEST_CASE("numpy: arrays that do not go together are named", "[data]") {
  const DataFolder folder;
  require_error([&] { numpy_splits(folder); }, "holds no arrays (.npy or .npz)");
  folder.write("x_train.npy", npy_file<float>("<f4", {4, 2}, 0, 1));
  REQUIRE(numpy_splits(folder).test->size() == 1);
  folder.write("y.npy", npy_file<float>("<f4", {4, 2}, 0, 1));
  require_error([&] { numpy_splits(folder); }, "holds arrays of the training split, but none of the test split",
                "name both");
  folder.write("x_test.npy", npy_file<float>("<f4", {4, 2}, 0, 1));
  folder.write("y_train.npy", npy_file<int64_t>("<i8", {3}, 0, 1));
  require_error([&] { numpy_splits(folder); }, "x_train.npy' has 4 samples, but '", "y_train.npy' has 3");
  folder.write("targets_train.npy", npy_file<int64_t>("<i8", {4}, 0, 1));
  require_error([&] { numpy_splits(folder); }, "would both be the field 'label'", "say which is what");
}

TEST_CASE("numpy: labels, shapes and types are checked against the description", "[data]") {
  const DataFolder folder;
  folder.write("mine.yaml", "format: numpy\nshape: [1, 2, 2]\nclasses: 2\nlook_in: [data]\n");
  std::filesystem::create_directory(folder.file("data"));
  folder.write("data/image.npy", npy_file<uint8_t>("|u1", {10, 1, 2, 2}, 0, 1));
  folder.write("data/label.npy", npy_file<int64_t>("<i8", {10}, 0, 1));
  const auto open = [&] { open_splits(config_of(folder.file("mine.yaml")), 1); };
  require_error(open, "label.npy': record 2 has label 2, but the data set has 2 classes (0 to 1)");
  folder.write("data/label.npy", npy_file<float>("<f4", {10}, 0, 1));
  folder.write("data/image.npy", npy_file<uint8_t>("|u1", {10, 1, 3, 3}, 0, 1));
  require_error(open, "image.npy' holds images of 1x3x3, but data set 'mine' has 1x2x2");
  folder.write("data/image.npy", npy_file<uint8_t>("|u1", {0, 1, 2, 2}, 0, 1));
  folder.write("data/label.npy", npy_file<int64_t>("<i8", {0}, 0, 1));
  require_error(open, "holds no samples");
}

}  // namespace
}  // namespace compress::data
