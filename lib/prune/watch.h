#pragma once

#include "train/hook.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace compress::prune {

/// Runs the network as it is, in evaluation, on training images without augmentation, and shows the named values batch
/// by batch. The same seed and moment of training choose the same images; never those of validation or test.
void watch_values(const train::State& state,
                  int64_t samples,
                  const std::vector<std::string>& values,
                  const std::function<void(std::string_view value, const at::Tensor& tensor)>& see);

}  // namespace compress::prune
