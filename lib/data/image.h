#pragma once

#include "data/resize.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace compress::data {

/// A rectangle of an image, in pixels.
struct Region {
  int64_t left = 0, top = 0, width = 0, height = 0;
};

/// Memory for pixels that is used again for the next image; its bytes are not cleared.
class PixelBuffer {
public:
  uint8_t* reserve(size_t bytes);

private:
  std::unique_ptr<uint8_t[]> bytes_;
  size_t size_ = 0;
};

/// An image file whose header has been read. Everything becomes 8-bit RGB as in Pillow's convert("RGB"): grey and
/// palettes are spread out, transparency is dropped, CMYK is converted, 16 bits are rounded to 8; of an animation the
/// first frame counts. EXIF's orientation is not applied (nor does torchvision).
class ImageDecoder {
public:
  virtual ~ImageDecoder() = default;
  int64_t width() const { return width_; }
  int64_t height() const { return height_; }
  /// Whether `read` can decode every shrink x shrink pixels to one, at a fraction of the cost.
  virtual bool shrinks() const = 0;
  /// Decodes at least `region`, once, into the buffer. `shrink` is 1, 2, 4 or 8 (1 unless `shrinks`). Throws a run
  /// error naming the file when it is damaged.
  virtual PixelView read(const Region& region, int64_t shrink, PixelBuffer& buffer) = 0;

protected:
  int64_t width_ = 0, height_ = 0;
};

/// Tells JPEG and PNG by their first bytes, whatever the file's name. `bytes` must outlive the decoder. Throws a run
/// error that names the file: empty, another format, damaged, or more than 178 million pixels.
std::unique_ptr<ImageDecoder> open_image(std::string_view bytes, const std::string& path);

/// The numbers of a PNG's pixels (grey levels or palette entries), for masks.
struct MaskImage {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> values;
};
/// Throws a run error that names the file: no PNG, colours instead of numbers, 16 bits, damaged.
MaskImage read_mask(std::string_view bytes, const std::string& path);

/// Makes the first byte of every pixel its grey level, as Pillow's convert("L").
void to_grey(const PixelView& pixels);

// ---- of jpeg.cpp and png.cpp
// ------------------------------------------------------------------------------------------------------------

std::unique_ptr<ImageDecoder> open_jpeg(std::string_view bytes, const std::string& path);
std::unique_ptr<ImageDecoder> open_png(std::string_view bytes, const std::string& path);
/// Throws a run error as read_mask does.
MaskImage read_png_mask(std::string_view bytes, const std::string& path);
/// Throws a run error when an image claims more pixels than any sensible file has.
void check_pixels(int64_t width, int64_t height, const std::string& path);

}  // namespace compress::data
