#pragma once

#include "core/random.h"
#include "data/dataset.h"

#include <array>

namespace compress::data {

// Changes of an 8-bit RGB image as three planes of `area` bytes, with torchvision's formulas for uint8 tensors
// (torchvision.transforms.functional): each step is cut off to 0 ... 255 and to whole numbers.

void change_brightness(uint8_t* planes, int64_t area, double factor);
void change_contrast(uint8_t* planes, int64_t area, double factor);
void change_saturation(uint8_t* planes, int64_t area, double factor);
/// `turn` in [-0.5, 0.5]: share of the colour circle.
void change_hue(uint8_t* planes, int64_t area, double turn);

/// Draws order and strengths and applies them.
void jitter_colors(uint8_t* planes, int64_t area, const ColorJitter& jitter, Random random);

}  // namespace compress::data
