#pragma once

#include "io/convert_node.h"

#include <span>

namespace compress::io {

/// What shapes and types cannot tell: constant indices that lie outside, scales of zero, convolutions of integers.
/// Throws a request error that names the node.
void check_values(const DraftNode& node, std::span<const Known> inputs);

}  // namespace compress::io
