#pragma once

#include "ops/attributes.h"

/// What the pooling operators share: windows over the spatial axes of [N,C,...].
namespace compress::ops {

/// Pads by `begin` in front and behind (or crops) such that the window, without ceil, fits exactly `outputs` times.
at::Tensor
padded_to_fit(const at::Tensor& x, const Window& window, const Shape& begin, const Shape& outputs, double value);

/// The sum of each window of an x that was padded to fit; axis by axis, so that it costs the kernel's sizes added, not
/// multiplied.
at::Tensor window_sums(const at::Tensor& x, const Window& window, const Shape& outputs);

/// Shape after the window. Throws a request error when the input has not 1 to 3 spatial axes.
std::vector<ValueInfo> pool_infer(const InferCall& call);
/// Batch and channels stay, spatial axes may carry none.
void pool_channels(ChannelFlow& flow);
/// An operator with window attributes and ceil_mode; the rest is the caller's.
Op pool_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&), Quantization quantization);

/// x to the power of 1/p for sums of powers; its gradient is 0, not infinite, where the sum is 0.
at::Tensor root_of_sum(const at::Tensor& sum, double p);

}  // namespace compress::ops
