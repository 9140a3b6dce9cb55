#pragma once

#include "exec/fuse.h"
#include "ops/op.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace compress::exec {

/// A group as one kernel, and the values it reads.
struct FusedKernel {
  ops::Kernel kernel;
  std::vector<std::string> inputs;
  ops::Kernel overwriting =
      {};  ///< the same, but may write the result over its last input; empty: there is no such form
};

/// The tensor of a value that follows from parameters alone; undefined for others.
using Constants = std::function<at::Tensor(std::string_view)>;

/// Weight and bias of a convolution or linear layer with the batch normalisation behind it folded in.
struct Weights {
  at::Tensor weight;
  at::Tensor bias;  ///< undefined: none
};
Weights folded_weights(const Group& group, const Constants& constants);

/// True when all inputs but the first are absent or known float32 tensors on the CPU.
bool has_known_weights(const Node& node, const Constants& constants);

/// What LibTorch's fused operators take for the group's activation; "none" when it has none.
ops::FusedActivation activation_of(const Group& group);

}  // namespace compress::exec
