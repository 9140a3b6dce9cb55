#pragma once

#include "data/dataset.h"

namespace compress::data {

// The arguments of data sets that are a map or the word 'none'.

/// Mean and standard deviation per channel; both empty: none.
struct Normalization {
  std::vector<double> mean, std;
};
Field normalization_field(std::function<void(Normalization)> set, std::function<std::optional<Normalization>()> get);

Field augmentation_field(std::function<void(Augmentation)> set, std::function<std::optional<Augmentation>()> get);

}  // namespace compress::data
