#include "data/loader.h"
#include "data_files.h"
#include "image_files.h"
#include "support/check_error.h"

#include <ATen/core/Tensor.h>

#include <filesystem>

namespace compress::data {
namespace {

using namespace compress::data::test;
using compress::test::require_error;

void write_image(const DataFolder& folder, const std::string& name, const char* kind = "jpeg_420") {
  std::filesystem::create_directories(std::filesystem::path(folder.file(name)).parent_path());
  folder.write(name, image_file(kind));
}

DataConfig folder_config(const DataFolder& folder, const std::string& settings = "{resize: 9}") {
  DataConfig config = config_of("image_folder");
  config.path = folder.path();
  config.shape = {3, 8, 8};
  config.mean = config.std = std::vector<double>{};
  config.format_settings = parse_yaml(settings, "recipe.yaml");
  return config;
}

/// Two classes; names and endings of several kinds.
void write_imagenet_like(const DataFolder& folder) {
  write_image(folder, "train/cat/1.JPEG");
  write_image(folder, "train/cat/deeper/2.png", "png_palette");
  write_image(folder, "train/ant/3.jpg", "jpeg_grey");
  write_image(folder, "val/ant/4.jpg", "png_rgb");  // a wrong ending does not matter
  write_image(folder, "val/cat/5.png", "png_rgb");
  folder.write("train/cat/notes.txt", "not an image");
  folder.write("train/.hidden", "");
}

TEST_CASE("image_folder: ImageNet's layout; classes in the order of their names, endings in any case", "[data]") {
  const DataFolder folder;
  write_imagenet_like(folder);
  const auto splits = open_splits(folder_config(folder), 1);
  REQUIRE(splits.train->size() == 3);
  REQUIRE(splits.test->size() == 2);
  const auto batch = splits.calibration->batch(std::vector<int64_t>{0, 1, 2}, {});
  REQUIRE(batch.at("image").sizes().vec() == Shape{3, 3, 8, 8});
  REQUIRE(batch.at("label")[0].item<int64_t>() == 0);
  REQUIRE(batch.at("label")[2].item<int64_t>() == 1);
  REQUIRE(splits.train->fields()[1].classes == 2);
  const auto test = splits.test->batch(std::vector<int64_t>{0, 1}, {}).at("image");
  REQUIRE(test[0].equal(test[1]));
}

TEST_CASE("image_folder: without folders of splits a share is held out by seed", "[data]") {
  const DataFolder folder;
  for (const char* name : {"a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg", "b/5.jpg"}) write_image(folder, name);
  const auto splits = open_splits(folder_config(folder, "{test_share: 0.4}"), 1);
  REQUIRE(splits.train->size() == 3);
  REQUIRE(splits.test->size() == 2);
  require_error([&] { open_splits(folder_config(folder, "{test_share: 0.05}"), 1); },
                "holds 5 samples; test_share 0.05 of them leaves none for the test split");
}

TEST_CASE("image_folder: training images are cut at random, the others never; threads change no bit", "[data]") {
  const DataFolder folder;
  write_imagenet_like(folder);
  const auto splits = open_splits(folder_config(folder), 1);
  const auto image = [&](const DatasetPtr& data, int64_t epoch) {
    return data->batch(std::vector<int64_t>{1}, {1, epoch}).at("image");
  };
  REQUIRE(image(splits.train, 1).equal(image(splits.train, 1)));
  REQUIRE_FALSE(image(splits.train, 1).equal(image(splits.train, 2)));
  REQUIRE(image(splits.calibration, 1).equal(image(splits.calibration, 2)));
  Loader alone(splits.train, 1, Order::shuffled, {1, 4}, 0), many(splits.train, 1, Order::shuffled, {1, 4}, 8);
  for (Batch a, b; alone.next(a);) {
    REQUIRE(many.next(b));
    REQUIRE(a.at("image").equal(b.at("image")));
  }
}

TEST_CASE("image_folder: grey images of one channel, and images stretched to the shape", "[data]") {
  const DataFolder folder;
  write_imagenet_like(folder);
  auto config = folder_config(folder, "{fit: stretch}");
  config.shape = {1, 10, 12};
  const auto test = open_splits(config, 1).test->batch(std::vector<int64_t>{0}, {}).at("image");
  const auto grey = from_hex(k_grey_of_rgb);
  for (int64_t i = 0; i < 120; ++i)
    REQUIRE(test.flatten()[i].item<float>() == Approx(static_cast<uint8_t>(grey[static_cast<size_t>(i)]) / 255.0));
}

TEST_CASE("image_folder: faults of the folders are named", "[data]") {
  const DataFolder folder;
  const auto open = [&] { open_splits(folder_config(folder), 1); };
  require_error(open,
                "data set 'image_folder' was not found: no folder 'train', nor folders of images for each class, in '",
                "--data image_folder:FOLDER");
  write_image(folder, "train/cat/1.jpg");
  require_error(open, "has a folder 'train', but no folder test, val, valid or validation with class folders",
                "format_settings.test_folder");
  write_image(folder, "test/cats/1.jpg");
  require_error(open, "test/cats' is no class of the training folder", "did you mean 'cat'?");
  write_image(folder, "val/cat/1.jpg");
  REQUIRE(open_splits(folder_config(folder, "{test_folder: val, resize: 9}"), 1).test->size() == 1);
  require_error([&] { open_splits(folder_config(folder, "{test_folder: vel}"), 1); }, "has no folder 'vel'");
  std::filesystem::create_directories(folder.file("train/dog"));
  require_error(open, "train/dog' holds no images (.jpg, .jpeg, .png)", "remove the folder");
  folder.write("train/dog/1.GIF", "GIF89a");
  require_error(open, "1.GIF': images of this format are not read", "convert it to PNG or JPEG");
  std::filesystem::remove_all(folder.file("train/dog"));
  auto config = folder_config(folder, "{resize: 4}");
  require_error([&] { open_splits(config, 1); }, "resize is 4, but the shape needs a shorter side of at least 8");
  require_error([&] { open_splits(folder_config(folder, "{resize: 9, fit: stretch}"), 1); },
                "resize has no effect with 'fit: stretch'", "leave it out");
  config.shape = {2, 8, 8};
  require_error([&] { open_splits(config, 1); }, "needs a shape of [1 or 3, height, width]");
}

TEST_CASE("image_folder: a number of classes that the folders do not have is refused", "[data]") {
  const DataFolder folder;
  write_imagenet_like(folder);
  auto config = folder_config(folder, "{}");
  config.name = "imagenet";
  require_error([&] { open_splits(config, 1); },
                "train' holds 2 class folders, but data set 'imagenet' has 1000 classes");
}

TEST_CASE("image_folder: broken, empty and foreign files are errors that name the file when they are read", "[data]") {
  const DataFolder folder;
  write_image(folder, "train/a/1.jpg");
  write_image(folder, "val/a/1.jpg");
  const auto read = [&](const std::string& bytes) {
    folder.write("val/a/1.jpg", bytes);
    open_splits(folder_config(folder), 1).test->batch(std::vector<int64_t>{0}, {});
  };
  require_error([&] { read(""); }, "val/a/1.jpg' is empty");
  require_error([&] { read("GIF89a and more"); }, "val/a/1.jpg' is a GIF image, but JPEG or PNG is needed");
  require_error([&] { read(image_file("jpeg_420").substr(0, 300)); }, "val/a/1.jpg' is a damaged JPEG image");
  std::filesystem::remove(folder.file("val/a/1.jpg"));
  std::filesystem::create_symlink("/nowhere", folder.file("val/a/1.jpg"));
  require_error([&] { open_splits(folder_config(folder), 1); }, "val/a' holds no images");
}

TEST_CASE("segmentation_folder: images and masks of the same names, cut at the same place", "[data]") {
  const DataFolder folder;
  for (int i = 0; i < 5; ++i) {
    write_image(folder, fmt::format("images/{}.png", i), "png_palette");
    write_image(folder, fmt::format("masks/{}.png", i), "png_palette");
  }
  auto config = folder_config(folder, "{fit: stretch}");
  config.name = "segmentation_folder";
  config.shape = {3, 10, 12};
  const auto splits = open_splits(config, 1);
  REQUIRE(splits.info.task == "segmentation");
  REQUIRE(splits.test->size() == 1);
  const auto mask = splits.test->batch(std::vector<int64_t>{0}, {}).at("mask");
  REQUIRE(std::string(static_cast<const char*>(mask.const_data_ptr()), 120) == from_hex(k_palette_numbers));
  // A palette entry has one colour, so inside one number's pixels a crop at full size shows that colour.
  const auto batch = splits.train->batch(std::vector<int64_t>{0, 1, 2, 3}, {1, 1});
  REQUIRE(batch.at("mask").sizes().vec() == Shape{4, 10, 12});
  REQUIRE(batch.at("mask").scalar_type() == at::kByte);
  REQUIRE_FALSE(batch.at("mask")[0].equal(batch.at("mask")[1]));
}

TEST_CASE("segmentation_folder: what has no partner, or another size, is named", "[data]") {
  const DataFolder folder;
  auto config = folder_config(folder, "{fit: stretch}");
  config.name = "segmentation_folder";
  const auto open = [&] { return open_splits(config, 1); };
  require_error(open, "was not found: no folder 'images', nor 'train/images', in");
  write_image(folder, "images/a.jpg");
  write_image(folder, "images/b.jpg");
  require_error(open, "there is no folder '", "masks'");
  write_image(folder, "masks/a.png", "png_grey");
  require_error(open, "images/b.jpg' has no mask '", "masks/b.png'");
  write_image(folder, "masks/b.png", "png_rgb");
  write_image(folder, "masks/c.png", "png_grey");
  require_error(open, "masks/c.png' has no image in '");
  std::filesystem::remove(folder.file("masks/c.png"));
  config.format_settings = parse_yaml("{fit: stretch, test_share: 0.5}", "recipe.yaml");
  const auto both = [&] {
    const auto splits = open();
    for (const auto& split : {splits.test, splits.calibration}) split->batch(std::vector<int64_t>{0}, {});
  };
  require_error(both, "masks/b.png' is no mask: it has colours");
  folder.write("masks/b.png", from_hex(k_larger_444));
  require_error(both, "masks/b.png' is a JPEG image, but PNG");
}

}  // namespace
}  // namespace compress::data
