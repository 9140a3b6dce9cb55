#pragma once

#include "ops/op.h"

/// What Conv and ConvBatchNormalization share: x [N,C,...], weight [O,C/group,...], 1 to 3 spatial axes.
namespace compress::ops {

using Convolution = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias)>;
/// The convolution that the node's attributes describe; an undefined bias is none. A weight of two axes makes a linear
/// layer.
Convolution convolution_of(const Node& node);

/// What evaluating a ConvBatchNormalization convolves with: the folded weight on its grid, and the bias. `inputs` as in
/// its Call, without x.
struct FoldedWeights {
  at::Tensor weight, bias;
};
FoldedWeights folded_weights(const Node& node, std::span<const at::Tensor* const> inputs);

std::vector<AttributeSpec> conv_attributes();
std::vector<ValueInfo> conv_infer(const InferCall& call);
int64_t conv_macs(const Node& node, std::span<const ValueInfo> inputs, std::span<const ValueInfo> outputs);
/// Relates input, weight and output; returns the output's channels, to which the caller binds its other parameters.
std::vector<int> conv_channels(ChannelFlow& flow);
void conv_resize(Node& node, const Resize& resize);

}  // namespace compress::ops
