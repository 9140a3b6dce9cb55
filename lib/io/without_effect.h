#pragma once

#include "io/convert_node.h"

#include <optional>
#include <span>

namespace compress::io {

/// The input that the node's output always equals (a Reshape to the same shape, a Pad by nothing, ...), so that the
/// node can go.
std::optional<size_t> input_it_equals(const DraftNode& node, std::span<const Known> inputs, const Known& output);

/// Leaves out what ONNX takes anyway: strides of 1, pads of 0, group=1, ...
void drop_defaults(DraftNode& node);

/// One spelling of each thing: a Reshape that keeps the batch and joins the rest is Flatten, a mean over all of space
/// GlobalAveragePool, other Reshapes and Splits name each size, defaults are left out.
void simplify(DraftNode& node, std::span<const Known> inputs, std::span<const Known> outputs);

}  // namespace compress::io
