#pragma once

#include "ops/quantization_grid.h"
#include "quant/calibrate.h"
#include "quant/grids.h"
#include "quant/overrides.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace compress::quant {

/// Adds a tensor that belongs to a quantiser: no optimiser touches it.
std::string add_constant(Graph& graph, const std::string& name, at::Tensor value, Changes& changes);

/// What is quantised how. Names follow one rule: node "<value>.quantizer" (weights: "<parameter>.quantizer"), its
/// tensors
/// "<node>.scale", "<node>.zero_point", "<node>.range_min", ...
struct InsertionOptions {
  const Overrides& overrides;
  ops::GridSpec activations, weights;  ///< their `bits` is not looked at: the overrides decide
  bool per_channel_weights = false;
  bool quantize_inputs = true;
  OutputGrids outputs = OutputGrids::none;
  std::optional<int64_t> bits_inputs =
      {};  ///< of the graph's inputs where no override says otherwise; absent: as other values
  std::optional<double> ema_decay =
      {};  ///< ranges follow the training (moving averages; weights at every step); absent: fixed
};

/// Grid of a bias: symmetric, in both directions equally far.
inline constexpr ops::GridSpec kBiasGrid{.bits = 32, .is_signed = true, .narrow = true, .symmetric = true};

/// The bits of a grid by the overrides of the values in it; null or 32: none.
std::optional<int64_t> grid_bits(const Graph& graph, const SharedGrid& grid, const InsertionOptions& options);

/// Puts a FakeQuantize behind every value of the grids, and on the weights and biases of weighted operators. All that
/// read a value read its quantiser afterwards; graph outputs do so only with OutputGrids::all. `ranges` are those of
/// the grids' values; not looked at with ema_decay.
Changes insert_quantizers(Graph& graph,
                          const std::vector<SharedGrid>& grids,
                          const InsertionOptions& options,
                          const ValueRanges& ranges = {});

/// Writes a grid's spec into the attributes of a quantiser.
void set_grid(Attributes& attributes, const ops::GridSpec& spec);
/// The same with other bits.
ops::GridSpec with_bits(ops::GridSpec spec, int64_t bits);

}  // namespace compress::quant
