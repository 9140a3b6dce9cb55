#include "data/image.h"

#include "core/error.h"
#include "image_files.h"
#include "support/check_error.h"

namespace compress::data {
namespace {

using namespace compress::data::test;
using compress::test::require_error;

constexpr Region kSmallImage{.width = 12, .height = 10};

std::string decode_all(const std::string& file) {
  const auto image = open_image(file, "x.jpg");
  PixelBuffer buffer;
  const auto view = image->read({.width = image->width(), .height = image->height()}, 1, buffer);
  return std::string(reinterpret_cast<const char*>(view.data), static_cast<size_t>(view.stride * view.height));
}

TEST_CASE("image: every kind of JPEG and PNG becomes the RGB that Pillow makes of it", "[data]") {
  for (const auto& kind : kImageKinds) {
    INFO(kind.name);
    const auto image = open_image(from_hex(kind.file), kind.name);
    REQUIRE(image->width() == 12);
    REQUIRE(image->height() == 10);
    REQUIRE(largest_difference(pixels_of(from_hex(kind.file), kSmallImage), from_hex(kind.rgb)) <= 1);
  }
}

TEST_CASE("image: grey levels are Pillow's", "[data]") {
  PixelBuffer buffer;
  const auto file = image_file("png_rgb");
  const auto view = open_image(file, "x.png")->read(kSmallImage, 1, buffer);
  to_grey(view);
  std::string grey;
  for (int64_t i = 0; i < 120; ++i) grey.push_back(static_cast<char>(view.data[4 * i]));
  REQUIRE(grey == from_hex(k_grey_of_rgb));
}

TEST_CASE("image: what is no JPEG or PNG is named by what it is", "[data]") {
  const auto open = [](std::string_view bytes) { return open_image(bytes, "a/b.jpg"); };
  require_error([&] { open(""); }, "'a/b.jpg' is empty", "remove the file");
  require_error([&] { open("GIF89a..."); }, "'a/b.jpg' is a GIF image, but JPEG or PNG is needed", "convert it");
  require_error([&] { open("RIFF1234WEBPVP8 "); }, "is a WebP image");
  require_error([&] { open("hello"); }, "'a/b.jpg' is no image: its first bytes are neither JPEG's nor PNG's");
}

TEST_CASE("image: a cut file is an error that names it, wherever it is cut", "[data]") {
  for (const char* kind : {"jpeg_420", "jpeg_progressive", "png_rgb", "png_interlaced", "png_palette"}) {
    const auto whole = image_file(kind);
    for (const size_t size : {whole.size() / 8, whole.size() / 3, whole.size() / 2, whole.size() - 20}) {
      INFO(kind << " cut to " << size << " of " << whole.size());
      require_error([&] { decode_all(whole.substr(0, size)); }, "'x.jpg' is a damaged", "image: ");
    }
  }
  const auto whole = image_file("jpeg_420");
  require_error([&] { decode_all(whole.substr(0, whole.size() - 20)); }, "the file ends early (is it cut?)");
}

TEST_CASE("image: a checksum that is wrong is an error", "[data]") {
  auto file = image_file("png_rgb");
  file[file.find("IDAT") + 8] ^= 1;
  require_error([&] { decode_all(file); }, "'x.jpg' is a damaged PNG image");
}

TEST_CASE("image: an image that claims more pixels than any file has is refused before memory is taken", "[data]") {
  auto jpeg = image_file("jpeg_420");
  const auto frame = jpeg.find("\xff\xc0");
  REQUIRE(frame != std::string::npos);
  jpeg.replace(frame + 5, 4, "\xfd\xe8\xfd\xe8");
  require_error([&] { open_image(jpeg, "x.jpg"); }, "'x.jpg' claims 65000x65000 pixels; at most 178,956,970 are read");
}

TEST_CASE("image: JPEGs of 12 bits are refused", "[data]") {
  auto jpeg = image_file("jpeg_420");
  jpeg[jpeg.find("\xff\xc0") + 4] = 12;
  require_error([&] { decode_all(jpeg); }, "'x.jpg' is a damaged JPEG image: Unsupported JPEG data precision 12");
}

TEST_CASE("image: a mask has the numbers of grey levels or palette entries", "[data]") {
  const auto palette = read_mask(image_file("png_palette"), "m.png");
  REQUIRE(palette.width == 12);
  REQUIRE(std::string(palette.values.begin(), palette.values.end()) == from_hex(k_palette_numbers));
  const auto bits = read_mask(image_file("png_bits"), "m.png");
  REQUIRE(std::string(bits.values.begin(), bits.values.end()) == from_hex(k_bit_numbers));
  require_error([] { read_mask(image_file("png_rgb"), "m.png"); }, "'m.png' is no mask: it has colours",
                "whose pixels are class numbers");
  require_error([] { read_mask(image_file("png_grey16"), "m.png"); }, "'m.png' is no mask: it has 16 bits a pixel");
  require_error([] { read_mask(image_file("jpeg_grey"), "m.png"); }, "'m.png' is a JPEG image, but PNG", "is needed");
}

TEST_CASE("image: no change of a file's bytes crashes a decoder", "[data][fuzz]") {
  std::vector<std::string> files;
  for (const auto& kind : kImageKinds) files.push_back(from_hex(kind.file));
  int decoded = 0, refused = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    Random random(1, "mutated images", {i});
    const auto file = mutated(files[i % files.size()], random);
    try {
      const auto image = open_image(file, "x");
      if (image->width() * image->height() > 1'000'000) continue;  // legal, but slow
      decode_all(file);
      ++decoded;
    } catch (const Error&) {
      ++refused;
    }
    try {
      read_mask(file, "x");
    } catch (const Error&) {
    }
  }
  REQUIRE(decoded > 100);
  REQUIRE(refused > 1000);
}

}  // namespace
}  // namespace compress::data
