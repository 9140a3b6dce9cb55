#include "data/color_jitter.h"

#include <algorithm>
#include <cmath>

namespace compress::data {

namespace {

uint8_t cut_off(float x) {
  return static_cast<uint8_t>(std::clamp(x, 0.F, 255.F));
}

float grey_of(const uint8_t* planes, int64_t area, int64_t i) {
  const auto red = static_cast<float>(planes[i]), green = static_cast<float>(planes[area + i]);
  return std::floor(0.2989F * red + 0.587F * green + 0.114F * static_cast<float>(planes[2 * area + i]));
}

struct Hsv {
  float hue, saturation, value;
};

Hsv to_hsv(float red, float green, float blue) {
  const float most = std::max({red, green, blue}), range = most - std::min({red, green, blue});
  if (range == 0) return {0, 0, most};
  float hue = 0;
  if (most == red)
    hue = (green - blue) / range;
  else if (most == green)
    hue = 2 + (blue - red) / range;
  else
    hue = 4 + (red - green) / range;
  hue /= 6;
  return {hue - std::floor(hue), range / most, most};
}

std::array<float, 3> to_rgb(const Hsv& color) {
  const float sector = std::floor(color.hue * 6), rest = color.hue * 6 - sector;
  const float v = color.value, p = v * (1 - color.saturation), q = v * (1 - color.saturation * rest);
  const float t = v * (1 - color.saturation * (1 - rest));
  switch (static_cast<int>(sector) % 6) {
  case 0: return {v, t, p};
  case 1: return {q, v, p};
  case 2: return {p, v, t};
  case 3: return {p, q, v};
  case 4: return {t, p, v};
  default: return {v, p, q};
  }
}

}  // namespace

void change_brightness(uint8_t* planes, int64_t area, double factor) {
  for (int64_t i = 0; i < 3 * area; ++i)
    planes[i] = cut_off(static_cast<float>(factor) * static_cast<float>(planes[i]));
}

void change_contrast(uint8_t* planes, int64_t area, double factor) {
  double sum = 0;
  for (int64_t i = 0; i < area; ++i) sum += grey_of(planes, area, i);
  const auto mean = static_cast<float>(sum / static_cast<double>(area)), share = static_cast<float>(factor);
  for (int64_t i = 0; i < 3 * area; ++i)
    planes[i] = cut_off(share * static_cast<float>(planes[i]) + (1 - share) * mean);
}

void change_saturation(uint8_t* planes, int64_t area, double factor) {
  const auto share = static_cast<float>(factor);
  for (int64_t i = 0; i < area; ++i) {
    const float grey = grey_of(planes, area, i);
    for (int64_t c = 0; c < 3; ++c) {
      uint8_t& value = planes[c * area + i];
      value = cut_off(share * static_cast<float>(value) + (1 - share) * grey);
    }
  }
}

void change_hue(uint8_t* planes, int64_t area, double turn) {
  constexpr float kAlmost256 = 255.999F;
  for (int64_t i = 0; i < area; ++i) {
    auto color = to_hsv(static_cast<float>(planes[i]) / 255, static_cast<float>(planes[area + i]) / 255,
                        static_cast<float>(planes[2 * area + i]) / 255);
    color.hue += static_cast<float>(turn);
    color.hue -= std::floor(color.hue);
    const auto rgb = to_rgb(color);
    for (int64_t c = 0; c < 3; ++c) planes[c * area + i] = cut_off(rgb[static_cast<size_t>(c)] * kAlmost256);
  }
}

void jitter_colors(uint8_t* planes, int64_t area, const ColorJitter& jitter, Random random) {
  const auto order = permutation(4, Random(random()));
  const auto factor = [&](double strength) { return random.uniform(std::max(0.0, 1 - strength), 1 + strength); };
  const double brightness = factor(jitter.brightness), contrast = factor(jitter.contrast);
  const double saturation = factor(jitter.saturation), turn = random.uniform(-jitter.hue, jitter.hue);
  for (const int64_t step : order) {
    if (step == 0 && jitter.brightness > 0) change_brightness(planes, area, brightness);
    if (step == 1 && jitter.contrast > 0) change_contrast(planes, area, contrast);
    if (step == 2 && jitter.saturation > 0) change_saturation(planes, area, saturation);
    if (step == 3 && jitter.hue > 0) change_hue(planes, area, turn);
  }
}

}  // namespace compress::data
