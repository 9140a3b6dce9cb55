#pragma once

#include "ops/attributes.h"

#include <ATen/core/Tensor.h>

#include <mutex>
#include <utility>
#include <vector>

namespace compress::exec {

/// The weight of a convolution in the layout that oneDNN prefers for the input at hand. It prefers others for other
/// sizes (a batch of 1 and of 16, say), and a weight in the wrong one would be reordered in every call.
class PackedWeight {
public:
  /// Copies the weight [out, in / groups, height, width].
  PackedWeight(const at::Tensor& weight, ops::Window window, int64_t groups);

  /// Packs when no input of this size was seen lately. Safe to call from several threads.
  at::Tensor for_input(at::IntArrayRef size);

private:
  at::Tensor pack(const at::Tensor& weight, at::IntArrayRef size) const;

  ops::Window window_;
  int64_t groups_;
  std::mutex mutex_;
  std::vector<std::pair<Shape, at::Tensor>> recent_;  ///< by input size, the last used first; "" is the plain weight
};

}  // namespace compress::exec
