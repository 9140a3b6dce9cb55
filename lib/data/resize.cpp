#include "data/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

// One copy of each inner loop per kind of vector unit; the program picks at start.
#if defined(__x86_64__) && !defined(__clang__) && __GNUC__ >= 12 && !defined(__SANITIZE_ADDRESS__) &&                  \
    !defined(__SANITIZE_THREAD__)
#define COMPRESS_RESIZE_LOOP __attribute__((target_clones("arch=x86-64-v3", "default"), optimize("O3")))
#else
#define COMPRESS_RESIZE_LOOP
#endif

namespace compress::data {

namespace {

constexpr int64_t kLanes = 4;  // bytes of a pixel
using Lanes = float __attribute__((vector_size(16)));

COMPRESS_RESIZE_LOOP void widen(const uint8_t* __restrict from, float* __restrict to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = from[i];
}

/// sum = 0.5 + weighted rows; the caller rounds by cutting off.
COMPRESS_RESIZE_LOOP void mix_rows(const float* __restrict rows,
                                   int64_t step,
                                   const float* weights,
                                   int64_t taps,
                                   float* __restrict sum,
                                   int64_t count) {
  for (int64_t i = 0; i < count; ++i) sum[i] = 0.5F + weights[0] * rows[i];
  for (int64_t tap = 1; tap < taps; ++tap) {
    const float* __restrict row = rows + tap * step;
    const float weight = weights[tap];
    for (int64_t i = 0; i < count; ++i) sum[i] += weight * row[i];
  }
}

COMPRESS_RESIZE_LOOP void narrow(const float* __restrict from, uint8_t* __restrict to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<uint8_t>(static_cast<int32_t>(from[i]));
}

Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

Lanes mix_pixel(const float* pixels, const Taps& right, int64_t i) {
  const float* from = pixels + kLanes * (right.start(i) - right.begin());
  const float* weights = right.weights(i);
  Lanes sum = load(from) * weights[0];
  for (int64_t tap = 1; tap < right.length(i); ++tap) sum += load(from + kLanes * tap) * weights[tap];
  return sum;
}

/// Mixes one row of pixels; `to` gets a row of right.count() numbers for each channel.
template <int64_t channels>
void mix_pixels(const float* pixels, const Taps& right, float* to) {
  const int64_t count = right.count();
  for (int64_t i = 0; i < count; ++i) {
    const Lanes sum = mix_pixel(pixels, right, i);
    to[i] = sum[0];
    if constexpr (channels > 1) to[count + i] = sum[1];
    if constexpr (channels > 2) to[2 * count + i] = sum[2];
    if constexpr (channels > 3) to[3 * count + i] = sum[3];
  }
}

constexpr void (*kMixPixels[])(const float*, const Taps&, float*) = {mix_pixels<1>, mix_pixels<2>, mix_pixels<3>,
                                                                     mix_pixels<4>};

}  // namespace

Taps::Taps(double low, double high, int64_t out, int64_t first, int64_t count) {
  const double scale = (high - low) / static_cast<double>(out), support = std::max(scale, 1.0);
  const auto least = static_cast<int64_t>(std::floor(low)), most = static_cast<int64_t>(std::ceil(high));
  most_ = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  weights_.resize(static_cast<size_t>(count * most_));
  for (int64_t i = 0; i < count; ++i) {
    const double center = low + (static_cast<double>(first + i) + 0.5) * scale;
    const int64_t start = std::clamp(static_cast<int64_t>(center - support + 0.5), least, most - 1);
    const int64_t end = std::clamp(static_cast<int64_t>(center + support + 0.5), start + 1, most);
    float* weights = &weights_[static_cast<size_t>(i * most_)];
    double sum = 0;
    for (int64_t x = start; x < end; ++x) {
      const double weight = std::max(0.0, 1 - std::abs((static_cast<double>(x) - center + 0.5) / support));
      weights[x - start] = static_cast<float>(weight);
      sum += weight;
    }
    if (sum > 0)
      for (int64_t x = start; x < end; ++x) weights[x - start] /= static_cast<float>(sum);
    else
      weights[0] = 1;
    starts_.push_back(start);
    lengths_.push_back(end - start);
  }
}

void resize(const PixelView& source, const Taps& down, const Taps& right, int64_t channels, uint8_t* planes) {
  const int64_t first_row = down.begin(), rows = down.end() - first_row;
  const int64_t columns = right.end() - right.begin(), width = right.count(), row_size = channels * width;
  thread_local std::vector<float> pixels, mixed, sum;
  pixels.resize(static_cast<size_t>(kLanes * columns));
  mixed.resize(static_cast<size_t>(rows * row_size));
  sum.resize(static_cast<size_t>(row_size));
  for (int64_t row = 0; row < rows; ++row) {
    const uint8_t* from = source.data + (first_row + row - source.top) * source.stride;
    widen(from + kLanes * (right.begin() - source.left), pixels.data(), kLanes * columns);
    kMixPixels[channels - 1](pixels.data(), right, mixed.data() + row * row_size);
  }
  for (int64_t y = 0; y < down.count(); ++y) {
    mix_rows(mixed.data() + (down.start(y) - first_row) * row_size, row_size, down.weights(y), down.length(y),
             sum.data(), row_size);
    for (int64_t c = 0; c < channels; ++c)
      narrow(sum.data() + c * width, planes + (c * down.count() + y) * width, width);
  }
}

std::vector<int64_t> nearest_pixels(double low, double high, int64_t out, int64_t first, int64_t count) {
  const double scale = (high - low) / static_cast<double>(out);
  const auto last = static_cast<int64_t>(std::ceil(high)) - 1;
  std::vector<int64_t> pixels;
  for (int64_t i = 0; i < count; ++i)
    pixels.push_back(
        std::min(last, static_cast<int64_t>(std::floor(low + (static_cast<double>(first + i) + 0.5) * scale))));
  return pixels;
}

}  // namespace compress::data

#undef COMPRESS_RESIZE_LOOP
