#pragma once

#include "data/dataset.h"

namespace compress::data {

/// How many made-up samples of which split, and from what they follow.
struct SyntheticSamples {
  int64_t count = 0;
  std::string split;
  uint64_t seed = 1;
  double noise = 0;
};

/// Images that show the patterns of any of their labels at once.
DatasetPtr synthetic_multi_label(const std::vector<FieldInfo>& fields, const SyntheticSamples& samples);
/// Rectangles and discs, each with the colour of its class, on a background of class 0.
DatasetPtr synthetic_segmentation(const std::vector<FieldInfo>& fields, const SyntheticSamples& samples);
/// Mixtures of four patterns, so that four numbers tell an image but for its noise.
DatasetPtr synthetic_reconstruction(const std::vector<FieldInfo>& fields, const SyntheticSamples& samples);

}  // namespace compress::data
