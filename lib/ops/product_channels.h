#pragma once

#include "ops/channels.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace compress::ops {

/// A sum of products as Einstein wrote it: one letter per axis of each input and of the output. An axis that nothing
/// shares has a letter of its own; an axis of size 1 that is stretched is kStretched.
struct ProductAxes {
  std::vector<std::string> inputs;
  std::string output;
};
inline constexpr char kStretched = '-';

/// Channels of a sum of products: axes of one letter are the same channels, whether they stay in the output or are
/// summed over. Axes of values whose channels are known on one side only are blocked.
void product_channels(ChannelFlow& flow, const ProductAxes& axes);

/// The axes of MatMul for factors of these shapes.
ProductAxes matmul_axes(std::span<const int64_t> a, std::span<const int64_t> b);

/// The axes of a batch of which `own` are one input's, `common` all inputs'; both without the axes that are not batch.
/// Letters count from the last axis, so that they meet as NumPy broadcasts.
std::string batch_letters(std::span<const int64_t> own, std::span<const int64_t> common);

/// Einsum's equation for inputs of these shapes, with "..." spelt out and the output written. Throws a request error.
ProductAxes einsum_axes(const Node& node, std::span<const Shape> inputs);

/// The axes when the node is a sum of products (MatMul, Einsum).
std::optional<ProductAxes> product_axes(const Node& node, std::span<const Shape> inputs);

}  // namespace compress::ops
