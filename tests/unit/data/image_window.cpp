#include "data/image_window.h"

#include "image_files.h"
#include "pixel_values.h"

namespace compress::data {
namespace {

using namespace compress::data::test;

const ImageSize kSquare{.channels = 3, .height = 224, .width = 224, .shorter_side = 256};

std::string rendered(const std::string& file, const Window& window, const ImageSize& size) {
  std::string planes(static_cast<size_t>(size.channels * size.height * size.width), '\0');
  render(*open_image(file, "x"), window, size, reinterpret_cast<uint8_t*>(planes.data()));
  return planes;
}

/// A part of RGB pixels resized by the reader of planes in memory.
std::string
resized(const char* pixels, int64_t width, int64_t height, const Window& window, int64_t to_width, int64_t to_height) {
  const auto planes = planes_of(from_hex(pixels));
  const ImageSize size{.channels = 3, .height = to_height, .width = to_width};
  std::string result(static_cast<size_t>(3 * to_width * to_height), '\0');
  render(reinterpret_cast<const uint8_t*>(planes.data()), width, height, window, size,
         reinterpret_cast<uint8_t*>(result.data()));
  return interleaved(result);
}

TEST_CASE("resize: within one grey level of Pillow, smaller, larger and a part", "[data]") {
  const auto all = [](int64_t width, int64_t height) {
    return Window{.width = 13, .height = 9, .out_width = width, .out_height = height};
  };
  REQUIRE(largest_difference(resized(k_resize_source, 13, 9, all(5, 4), 5, 4), from_hex(k_resized_5x4)) <= 1);
  REQUIRE(largest_difference(resized(k_resize_source, 13, 9, all(20, 17), 20, 17), from_hex(k_resized_20x17)) <= 1);
  REQUIRE(largest_difference(resized(k_resize_source, 13, 9, all(13, 3), 13, 3), from_hex(k_resized_13x3)) <= 1);
  const Window part{.left = 2, .top = 1, .width = 9, .height = 7, .out_width = 6, .out_height = 6};
  REQUIRE(largest_difference(resized(k_resize_source, 13, 9, part, 6, 6), from_hex(k_resized_part_6x6)) <= 1);
}

TEST_CASE("resize: part of a resized image is that part of the whole", "[data]") {
  Window window{.width = 13, .height = 9, .out_width = 20, .out_height = 17};
  const auto whole = resized(k_resize_source, 13, 9, window, 20, 17);
  window.row = 5;
  window.column = 3;
  const auto part = resized(k_resize_source, 13, 9, window, 7, 4);
  for (int64_t y = 0; y < 4; ++y)
    REQUIRE(part.substr(static_cast<size_t>(21 * y), 21) ==
            whole.substr(static_cast<size_t>(3 * ((y + 5) * 20 + 3)), 21));
}

TEST_CASE("jpeg: a part of an image is that part of the whole, to the bit", "[data]") {
  for (const char* hex : {k_larger_444, k_larger_422, k_larger_420, k_larger_progressive}) {
    const auto file = from_hex(hex);
    const auto whole = pixels_of(file, {.width = 160, .height = 120});
    for (uint64_t i = 0; i < 60; ++i) {
      Random random(2, "parts", {i});
      Region part{.width = 1 + random.below(160), .height = 1 + random.below(120)};
      part.left = random.below(161 - part.width);
      part.top = random.below(121 - part.height);
      std::string expected;
      for (int64_t y = part.top; y < part.top + part.height; ++y)
        expected += whole.substr(static_cast<size_t>(3 * (160 * y + part.left)), static_cast<size_t>(3 * part.width));
      INFO(part.left << " " << part.top << " " << part.width << "x" << part.height);
      REQUIRE((pixels_of(file, part) == expected));
    }
  }
}

TEST_CASE("jpeg: a part of an image decoded at part of its size is that part of the whole", "[data]") {
  for (const char* hex : {k_larger_444, k_larger_422, k_larger_420, k_larger_progressive})
    for (const int64_t shrink : {2, 4, 8}) {
      const auto whole = pixels_of(from_hex(hex), {.width = 160, .height = 120}, shrink);
      const Region part{.left = 64, .top = 40, .width = 48, .height = 64};
      std::string expected;
      for (int64_t y = part.top / shrink; y < (part.top + part.height) / shrink; ++y)
        expected += whole.substr(static_cast<size_t>(3 * (160 / shrink * y + part.left / shrink)),
                                 static_cast<size_t>(3 * part.width / shrink));
      INFO(shrink);
      REQUIRE((pixels_of(from_hex(hex), part, shrink) == expected));
    }
}

TEST_CASE("window: a large PNG is not decoded at part of its size", "[data]") {
  const auto file = image_file("png_rgb");
  const ImageSize size{.channels = 3, .height = 2, .width = 3};
  const Window window{.left = 0, .top = 1, .width = 12, .height = 9, .out_width = 3, .out_height = 2};
  const auto small = interleaved(rendered(file, window, size));
  REQUIRE(largest_difference(small, resized(k_png_rgb_rgb, 12, 10, window, 3, 2)) == 0);
}

TEST_CASE("jpeg: decoding at part of the size changes the result by a few grey levels at most", "[data]") {
  const ImageSize size{.channels = 3, .height = 20, .width = 30};
  const Window window{.width = 320, .height = 240, .out_width = 30, .out_height = 20};
  const auto small = interleaved(rendered(from_hex(k_large), window, size));
  const auto expected = from_hex(k_large_30x20);
  REQUIRE(largest_difference(small, expected) <= 4);
  double sum = 0;
  for (size_t i = 0; i < small.size(); ++i) sum += static_cast<uint8_t>(small[i]) - static_cast<uint8_t>(expected[i]);
  REQUIRE(std::abs(sum / static_cast<double>(small.size())) < 0.5);
}

TEST_CASE("window: the shorter side is resized and the middle cut out, as torchvision does", "[data]") {
  const auto wide = middle_window(500, 375, kSquare);
  REQUIRE(wide.out_width == 341);
  REQUIRE(wide.out_height == 256);
  REQUIRE(wide.column == 58);  // half of 117, rounded to even
  REQUIRE(wide.row == 16);
  const auto tall = middle_window(100, 301, kSquare);
  REQUIRE(tall.out_width == 256);
  REQUIRE(tall.out_height == 770);
  REQUIRE(tall.row == 273);
  auto stretched = kSquare;
  stretched.fit = Fit::stretch;
  REQUIRE(middle_window(500, 375, stretched).out_width == 224);
  REQUIRE(middle_window(500, 375, stretched).column == 0);
}

TEST_CASE("window: a random part keeps to scale and ratio and lies inside; the same draws give the same part",
          "[data]") {
  const RandomResizedCrop crop{.smallest_scale = 0.25, .largest_scale = 0.5};
  double smallest = 1, largest = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    const auto window = random_window(500, 375, kSquare, crop, Random(3, "windows", {i}));
    REQUIRE(window.left >= 0);
    REQUIRE(window.top >= 0);
    REQUIRE(window.left + window.width <= 500);
    REQUIRE(window.top + window.height <= 375);
    const double share = window.width * window.height / (500 * 375), ratio = window.width / window.height;
    smallest = std::min(smallest, share);
    largest = std::max(largest, share);
    REQUIRE(ratio > 0.745);
    REQUIRE(ratio < 1.345);
    REQUIRE(random_window(500, 375, kSquare, crop, Random(3, "windows", {i})).left == window.left);
  }
  REQUIRE(smallest == Approx(0.25).margin(0.005));
  REQUIRE(largest == Approx(0.5).margin(0.005));
}

TEST_CASE("window: an image too long for any draw gives its middle", "[data]") {
  const auto window = random_window(1000, 10, kSquare, {}, Random(1));
  REQUIRE(window.width == 13);
  REQUIRE(window.height == 10);
  REQUIRE(window.left == 493);
  const auto tall = random_window(1, 1000, kSquare, {.smallest_scale = 0.5}, Random(1));
  REQUIRE(tall.width == 1);
  REQUIRE(tall.height == 1);
}

TEST_CASE("window: images of one pixel and of extreme shapes are resized", "[data]") {
  const auto file = image_file("png_rgb");
  const ImageSize size{.channels = 1, .height = 3, .width = 5};
  const Window pixel{.left = 3, .top = 4, .width = 1, .height = 1, .out_width = 5, .out_height = 3};
  const auto planes = rendered(file, pixel, size);
  REQUIRE(planes == std::string(15, planes[0]));
}

TEST_CASE("window: a mask's pixels are taken, not mixed", "[data]") {
  const std::vector<uint8_t> mask = {0, 1, 2, 3, 4, 5};
  const ImageSize size{.channels = 1, .height = 2, .width = 6};
  std::vector<uint8_t> twice(12);
  render_mask(mask.data(), 3, {.width = 3, .height = 2, .out_width = 6, .out_height = 2}, size, twice.data());
  REQUIRE(twice == std::vector<uint8_t>{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5});
}

}  // namespace
}  // namespace compress::data
