#pragma once

#include "quant/insertion/grids.h"
#include "quant/insertion/quantizer_node.h"

#include <string>
#include <vector>

namespace compress::quant {

/// Grid of a bias: symmetric, in both directions equally far.
inline constexpr ops::GridSpec kBiasGrid{.bits = 32, .is_signed = true, .narrow = true, .symmetric = true};

/// Puts a FakeQuantize behind every value of the grids, and on weights, biases and constant operands. All that read a
/// value read its quantiser afterwards; graph outputs do so only when they have grids. `ranges` are those of the grids'
/// values; not looked at with methods that need none.
Changes insert_quantizers(Graph& graph,
                          const std::vector<SharedGrid>& grids,
                          const InsertionOptions& options,
                          const ValueRanges& ranges = {});

}  // namespace compress::quant
