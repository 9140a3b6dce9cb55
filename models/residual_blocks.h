#pragma once

#include "builder.h"

namespace compress::models {

/// x itself where size and channels stay, else a 1x1 convolution with batch-norm ("downsample").
std::string
projection_shortcut(Builder& net, const std::string& block, const std::string& x, int64_t channels, int64_t stride);

/// The residual block of two 3x3 convolutions (He et al. 2015), named as torchvision and Distiller do.
std::string basic_block(Builder& net, const std::string& block, const std::string& x, int64_t channels, int64_t stride);

/// The stem of residual networks for large images: 7x7 convolution and pooling, both halving the size.
std::string residual_stem(Builder& net, int64_t channels);

/// Global average, flatten and the last linear layer, "fc".
std::string average_and_classify(Builder& net, const std::string& x, int64_t classes);

}  // namespace compress::models
