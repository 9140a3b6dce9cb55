#include "data/image.h"

#include "core/error.h"
#include "core/text.h"

namespace compress::data {

namespace {

constexpr int64_t kMostPixels = 178'956'970;  // half a GiB of RGB; Pillow's limit for "decompression bombs"

/// What a file is by its first bytes, or "".
std::string_view image_kind(std::string_view bytes) {
  constexpr std::pair<std::string_view, std::string_view> kStarts[] = {{"\xff\xd8\xff", "JPEG"},
                                                                       {"\x89PNG\r\n\x1a\n", "PNG"},
                                                                       {"GIF8", "GIF"},
                                                                       {"BM", "BMP"},
                                                                       {std::string_view("II*\0", 4), "TIFF"},
                                                                       {std::string_view("MM\0*", 4), "TIFF"},
                                                                       {"P5", "PGM"},
                                                                       {"P6", "PPM"}};
  for (const auto& [start, kind] : kStarts)
    if (bytes.starts_with(start)) return kind;
  return bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP") ? "WebP" : "";
}

Error unknown_image(std::string_view bytes, const std::string& path, std::string_view wanted) {
  if (bytes.empty()) return run_error("'{}' is empty", path).hint("remove the file, or get it again");
  const auto kind = image_kind(bytes);
  if (kind.empty()) return run_error("'{}' is no image: its first bytes are neither JPEG's nor PNG's", path);
  return run_error("'{}' is a {} image, but {} is needed", path, kind, wanted).hint("convert it");
}

}  // namespace

uint8_t* PixelBuffer::reserve(size_t bytes) {
  if (bytes > size_) {
    bytes_ = std::make_unique_for_overwrite<uint8_t[]>(bytes);
    size_ = bytes;
  }
  return bytes_.get();
}

std::unique_ptr<ImageDecoder> open_image(std::string_view bytes, const std::string& path) {
  const auto kind = image_kind(bytes);
  if (kind == "JPEG") return open_jpeg(bytes, path);
  if (kind == "PNG") return open_png(bytes, path);
  throw unknown_image(bytes, path, "JPEG or PNG");
}

void check_pixels(int64_t width, int64_t height, const std::string& path) {
  if (width * height > kMostPixels)
    throw run_error("'{}' claims {}x{} pixels; at most {} are read", path, width, height, with_commas(kMostPixels));
}

void to_grey(const PixelView& pixels) {
  for (int64_t y = 0; y < pixels.height; ++y) {
    uint8_t* pixel = pixels.data + y * pixels.stride;
    for (int64_t x = 0; x < pixels.width; ++x, pixel += 4)
      pixel[0] = static_cast<uint8_t>((pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >> 16);
  }
}

MaskImage read_mask(std::string_view bytes, const std::string& path) {
  if (image_kind(bytes) != "PNG") throw unknown_image(bytes, path, "PNG (a mask's numbers must be exact)");
  return read_png_mask(bytes, path);
}

}  // namespace compress::data
