#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace compress::data {

/// Decoded pixels, four bytes each: red, green, blue, unused. The first one is pixel (left, top) of the image as it was
/// decoded, perhaps at part of its size.
struct PixelView {
  uint8_t* data = nullptr;
  int64_t stride = 0;  ///< bytes from row to row
  int64_t left = 0, top = 0, width = 0, height = 0;
};

/// How pixels first ... first+count-1 of an axis of `out` pixels are mixed from the part [low, high) of a source axis:
/// a triangle filter that widens when the axis shrinks (Pillow's BILINEAR, hence torchvision's antialiased one).
/// Nothing outside [low, high) is looked at.
class Taps {
public:
  Taps(double low, double high, int64_t out, int64_t first, int64_t count);

  int64_t begin() const { return starts_.front(); }  ///< first source pixel that is looked at
  int64_t end() const { return starts_.back() + lengths_.back(); }
  int64_t count() const { return static_cast<int64_t>(starts_.size()); }
  int64_t start(int64_t i) const { return starts_[static_cast<size_t>(i)]; }
  int64_t length(int64_t i) const { return lengths_[static_cast<size_t>(i)]; }
  /// length(i) numbers whose sum is 1.
  const float* weights(int64_t i) const { return &weights_[static_cast<size_t>(i * most_)]; }

private:
  int64_t most_;
  std::vector<int64_t> starts_, lengths_;
  std::vector<float> weights_;
};

/// Writes right.count() x down.count() bytes for each channel, one plane after the other. The view must hold the
/// source pixels of both axes. Within one grey level of Pillow, which rounds between its two passes.
void resize(const PixelView& source, const Taps& down, const Taps& right, int64_t channels, uint8_t* planes);

/// The source pixel that each of [first, first+count) of `out` pixels takes without mixing: for masks.
std::vector<int64_t> nearest_pixels(double low, double high, int64_t out, int64_t first, int64_t count);

}  // namespace compress::data
