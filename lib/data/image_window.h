#pragma once

#include "core/random.h"
#include "data/dataset.h"
#include "data/image.h"

namespace compress::data {

/// How an image of any size gets the data set's size when nothing is drawn.
enum class Fit {
  crop,    ///< the shorter side is resized, then the middle is cut out
  stretch  ///< both sides are resized
};

/// The size that images get, and how.
struct ImageSize {
  int64_t channels = 3, height = 0, width = 0;
  Fit fit = Fit::crop;
  int64_t shorter_side = 0;  ///< before the middle is cut out
};

/// A part of an image, resized to out_width x out_height, of which height x width pixels from (row, column) on are
/// wanted.
struct Window {
  double left = 0, top = 0, width = 0, height = 0;
  int64_t out_width = 0, out_height = 0;
  int64_t row = 0, column = 0;
};
Window middle_window(int64_t width, int64_t height, const ImageSize& size);
Window
random_window(int64_t width, int64_t height, const ImageSize& size, const RandomResizedCrop& crop, Random random);

/// Decodes what the window needs and resizes it: size.channels planes of size.height x size.width bytes. Where the
/// image has at least four times the wanted pixels on both sides, JPEGs are decoded at 1/2, 1/4 or 1/8 of their size.
void render(ImageDecoder& image, const Window& window, const ImageSize& size, uint8_t* planes);
/// The same part of planes in memory.
void render(
    const uint8_t* planes, int64_t width, int64_t height, const Window& window, const ImageSize& size, uint8_t* to);

/// The same part of a mask, pixels taken without mixing.
template <class T>
void render_mask(const T* mask, int64_t mask_width, const Window& window, const ImageSize& size, T* to) {
  const auto rows = nearest_pixels(window.top, window.top + window.height, window.out_height, window.row, size.height);
  const auto columns =
      nearest_pixels(window.left, window.left + window.width, window.out_width, window.column, size.width);
  for (const int64_t row : rows)
    for (const int64_t column : columns) *to++ = mask[row * mask_width + column];
}

}  // namespace compress::data
