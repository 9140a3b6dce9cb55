#include "data/synthetic_images.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace compress::data {

namespace {

constexpr int kWaves = 3;
constexpr int64_t kShift = 2;
constexpr double kPatternAmplitude = 24;  // of each wave

}  // namespace

std::vector<double> synthetic_pattern(uint64_t seed, uint64_t field, uint64_t label, const Shape& shape) {
  Random random(seed, "synthetic pattern", {field, label});
  std::vector<double> pattern(static_cast<size_t>(shape[0] * shape[1] * shape[2]));
  for (int64_t channel = 0; channel < shape[0]; ++channel)
    for (int wave = 0; wave < kWaves; ++wave) {
      const double down = static_cast<double>(random.below(4)), right = static_cast<double>(1 + random.below(3));
      const double phase = random.uniform(0, 2 * std::numbers::pi);
      double* pixel = pattern.data() + channel * shape[1] * shape[2];
      for (int64_t y = 0; y < shape[1]; ++y)
        for (int64_t x = 0; x < shape[2]; ++x)
          *pixel++ +=
              kPatternAmplitude * std::sin(2 * std::numbers::pi *
                                               (down * static_cast<double>(y) / static_cast<double>(shape[1]) +
                                                right * static_cast<double>(x) / static_cast<double>(shape[2])) +
                                           phase);
    }
  return pattern;
}

std::vector<double> shifted(const std::vector<double>& pattern, const Shape& shape, Random& random) {
  const int64_t height = shape[1], width = shape[2];
  const int64_t down = random.below(2 * kShift + 1), right = random.below(2 * kShift + 1);
  std::vector<double> result;
  result.reserve(pattern.size());
  for (int64_t c = 0; c < shape[0]; ++c)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        result.push_back(
            pattern[static_cast<size_t>((c * height + (y + down) % height) * width + (x + right) % width)]);
  return result;
}

void append_pixels(const std::vector<double>& image, double noise, Random& random, std::string& bytes) {
  for (const double clean : image) {
    const double pixel = 128 + clean + 128 * noise * random.uniform(-1, 1);
    bytes.push_back(static_cast<char>(static_cast<uint8_t>(std::clamp(pixel, 0.0, 255.0))));
  }
}

}  // namespace compress::data
