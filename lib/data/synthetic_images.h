#pragma once

#include "core/random.h"
#include "data/dataset.h"

namespace compress::data {

// Parts of made-up images, as channels*height*width numbers around 0 in steps of a pixel's 0 ... 255.

/// The pattern of a class (and field): a few waves of low frequency in each channel.
std::vector<double> synthetic_pattern(uint64_t seed, uint64_t field, uint64_t label, const Shape& shape);

/// Moved by up to two pixels, around the border.
std::vector<double> shifted(const std::vector<double>& pattern, const Shape& shape, Random& random);

/// Adds the image as bytes, around grey, with noise (a share of the range).
void append_pixels(const std::vector<double>& image, double noise, Random& random, std::string& bytes);

}  // namespace compress::data
