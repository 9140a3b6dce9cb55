#pragma once

#include "ops/channels.h"

namespace compress::ops {

/// Indices into an axis of this size, counted from the front. Throws a run error when one is outside (on the CPU; other
/// devices check by themselves).
at::Tensor indices_within(const at::Tensor& indices, int64_t size);

/// Indices [..., q] into the q axes of `sizes`, as indices [...] into these axes seen as one. Throws as above.
at::Tensor joined_indices(const at::Tensor& indices, std::span<const int64_t> sizes);

/// States that input i, indices or values of its own, carries no channels.
void block_all_axes(ChannelFlow& flow, size_t i, const std::string& why);

/// Throws a request error when the second input, the indices, is of another type than an integer one.
void require_indices(const InferCall& call, size_t i);

}  // namespace compress::ops
