#include "data/image_window.h"

#include <algorithm>
#include <cmath>

namespace compress::data {

namespace {

constexpr int kCropTries = 10;
constexpr int64_t kSpareResolution = 2;  // how many times the wanted pixels a shrunk image still has, along each side
constexpr int64_t kMostShrink = 8;

int64_t half_to_even(double x) {
  return static_cast<int64_t>(std::nearbyint(x));
}

/// The middle part with a ratio inside the limits, for images that are too long for any draw to fit.
Region middle_part(int64_t width, int64_t height, const RandomResizedCrop& crop) {
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  Region part{.width = width, .height = height};
  if (ratio < crop.smallest_ratio)
    part.height = std::clamp<int64_t>(half_to_even(static_cast<double>(width) / crop.smallest_ratio), 1, height);
  else if (ratio > crop.largest_ratio)
    part.width = std::clamp<int64_t>(half_to_even(static_cast<double>(height) * crop.largest_ratio), 1, width);
  part.left = (width - part.width) / 2;
  part.top = (height - part.height) / 2;
  return part;
}

Region draw_part(int64_t width, int64_t height, const RandomResizedCrop& crop, Random& random) {
  const auto area = static_cast<double>(width * height);
  const double low = std::log(crop.smallest_ratio), high = std::log(crop.largest_ratio);
  for (int i = 0; i < kCropTries; ++i) {
    const double wanted = area * random.uniform(crop.smallest_scale, crop.largest_scale);
    const double ratio = std::exp(random.uniform(low, high));
    Region part{.width = half_to_even(std::sqrt(wanted * ratio)), .height = half_to_even(std::sqrt(wanted / ratio))};
    if (part.width < 1 || part.width > width || part.height < 1 || part.height > height) continue;
    part.top = random.below(height - part.height + 1);
    part.left = random.below(width - part.width + 1);
    return part;
  }
  return middle_part(width, height, crop);
}

Window whole(const Region& part, int64_t out_width, int64_t out_height) {
  return {.left = static_cast<double>(part.left),
          .top = static_cast<double>(part.top),
          .width = static_cast<double>(part.width),
          .height = static_cast<double>(part.height),
          .out_width = out_width,
          .out_height = out_height};
}

struct WindowTaps {
  Taps down, right;
};

WindowTaps taps_of(const Window& window, const ImageSize& size, int64_t shrink) {
  const auto scale = static_cast<double>(shrink);
  return {{window.top / scale, (window.top + window.height) / scale, window.out_height, window.row, size.height},
          {window.left / scale, (window.left + window.width) / scale, window.out_width, window.column, size.width}};
}

int64_t shrink_for(const Window& window) {
  int64_t shrink = kMostShrink;
  const auto enough = [&](double in, int64_t out) {
    return in >= static_cast<double>(shrink * kSpareResolution * out);
  };
  while (shrink > 1 && !(enough(window.width, window.out_width) && enough(window.height, window.out_height)))
    shrink /= 2;
  return shrink;
}

}  // namespace

Window middle_window(int64_t width, int64_t height, const ImageSize& size) {
  const Region all{.width = width, .height = height};
  if (size.fit == Fit::stretch) return whole(all, size.width, size.height);
  const int64_t side = size.shorter_side;
  auto window = width <= height ? whole(all, side, std::max(side, side * height / width))
                                : whole(all, std::max(side, side * width / height), side);
  window.row = half_to_even(static_cast<double>(window.out_height - size.height) / 2);
  window.column = half_to_even(static_cast<double>(window.out_width - size.width) / 2);
  return window;
}

Window
random_window(int64_t width, int64_t height, const ImageSize& size, const RandomResizedCrop& crop, Random random) {
  return whole(draw_part(width, height, crop, random), size.width, size.height);
}

void render(ImageDecoder& image, const Window& window, const ImageSize& size, uint8_t* planes) {
  thread_local PixelBuffer buffer;
  const int64_t shrink = image.shrinks() ? shrink_for(window) : 1;
  const auto taps = taps_of(window, size, shrink);
  const Region region{.left = taps.right.begin() * shrink,
                      .top = taps.down.begin() * shrink,
                      .width = (taps.right.end() - taps.right.begin()) * shrink,
                      .height = (taps.down.end() - taps.down.begin()) * shrink};
  const auto pixels = image.read(region, shrink, buffer);
  if (size.channels == 1) to_grey(pixels);
  resize(pixels, taps.down, taps.right, size.channels, planes);
}

void render(
    const uint8_t* planes, int64_t width, int64_t height, const Window& window, const ImageSize& size, uint8_t* to) {
  constexpr int64_t kGroup = 4;  // channels that fit a pixel of four bytes
  thread_local PixelBuffer buffer;
  const auto taps = taps_of(window, size, 1);
  for (int64_t first = 0; first < size.channels; first += kGroup) {
    const int64_t channels = std::min(kGroup, size.channels - first);
    uint8_t* pixels = buffer.reserve(static_cast<size_t>(kGroup * width * height));
    for (int64_t c = 0; c < kGroup; ++c)
      for (int64_t i = 0; i < width * height; ++i)
        pixels[kGroup * i + c] = c < channels ? planes[(first + c) * width * height + i] : 0;
    resize({.data = pixels, .stride = kGroup * width, .width = width, .height = height}, taps.down, taps.right,
           channels, to + first * size.height * size.width);
  }
}

}  // namespace compress::data
