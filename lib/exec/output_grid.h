#pragma once

#include "graph/graph.h"
#include "ops/rounding.h"

#include <ATen/core/Tensor.h>

#include <span>

namespace compress::exec {

/// The FakeQuantize behind a step of training, which rounds in the same pass.
class OutputGrid {
public:
  /// True when extremes are all it needs to know: one grid of integers for the whole value.
  static bool fits(const Node& quantizer);

  explicit OutputGrid(const Node& quantizer) : node_(quantizer) {}

  /// Lets the grid follow a batch with these extremes. `inputs`: of the node, but the value.
  ops::Rounding follow(float low, float high, std::span<const at::Tensor* const> inputs) const;

private:
  Node node_;
};

}  // namespace compress::exec
