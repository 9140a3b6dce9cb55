#pragma once

#include "ops/op.h"

namespace compress::ops {

/// A sliding window over the spatial axes, everything resolved: one entry per spatial axis.
struct Window {
  Shape kernel;
  Shape strides;
  Shape dilations;
  Shape begin;  ///< zeros (or -inf) in front of each axis
  Shape end;    ///< and behind it
  bool ceil = false;

  bool symmetric() const { return begin == end; }
};

/// Reads kernel_shape (or the given kernel), strides, dilations, pads, auto_pad and ceil_mode; `space`: the input's
/// spatial sizes, which auto_pad needs. Throws a request error when list lengths do not fit the number of spatial axes.
Window window_of(const Node& node, Shape kernel, std::span<const int64_t> space);

/// Spatial sizes after the window. With ceil, windows that would start in the padding behind are left out, as in
/// PyTorch. Throws a request error when the window is larger than the padded input.
Shape window_output(const Window& window, std::span<const int64_t> space);

/// The attributes of the above, ceil_mode left to the caller.
std::vector<AttributeSpec> window_attributes();

/// Replaces auto_pad by pads, as far as the input's size is known (an Op::normalize).
void make_pads_explicit(Graph& graph, Node& node);

/// Padding in LibTorch's order (last axis first, front and back in turn) for the spatial axes.
std::vector<int64_t> torch_pads(std::span<const int64_t> begin, std::span<const int64_t> end);

/// The sizes behind batch and channels.
Shape space_of(const Shape& shape);

/// A tensor of one number per channel, to go with a value of `rank` axes.
at::Tensor along_channels(const at::Tensor& values, int64_t rank);

/// Blocks what carries channels among the batch and spatial axes of the first input, which an operator over axis 1
/// does not follow.
void block_other_axes(ChannelFlow& flow);

/// LibTorch's type for ONNX's number of an element type. Throws a request error.
at::ScalarType element_type(int64_t onnx_type);
/// The other way round. Throws a request error when ONNX has no such type.
int64_t onnx_element_type(at::ScalarType type);

/// The smallest and the largest number of an integer type or bool; of 64 unsigned bits only the lower half is used.
std::pair<int64_t, int64_t> integer_limits(at::ScalarType type);

/// a followed by b.
std::vector<AttributeSpec> with_attributes(std::vector<AttributeSpec> a, std::vector<AttributeSpec> b);

}  // namespace compress::ops
