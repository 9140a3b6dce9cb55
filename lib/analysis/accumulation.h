#pragma once

#include "graph/graph.h"

#include <cstdint>
#include <string>
#include <vector>

/// How large the integer sums of a quantised network can become, whatever the data.
namespace compress::analysis {

/// One layer with integer weights of at most 8 bits and inputs of at most 8 bits.
struct Accumulation {
  std::string layer;    ///< the node
  std::string weights;  ///< the node that dequantises or simulates its weights; empty when they are integers already
  bool signed_weights = true;
  int64_t largest_weight = 0;  ///< magnitude of a weight's integer, seen from the zero point
  int64_t largest_input = 0;   ///< of an input's integer, as bytes without sign
  /// Kernels for bytes without VNNI add the products of two neighbouring inputs in 16 bits. Depthwise convolutions have
  /// no such pair.
  bool adds_pairs = true;
  int64_t pair = 0;           ///< largest magnitude of a0 * w0 + a1 * w1 over any two weights of one output
  int64_t pair_channels = 0;  ///< outputs whose pair leaves 16 bits
  int64_t channels = 0;
  int64_t sum = 0;                ///< largest sum of |w| * a over all inputs of one output, with the bias
  int64_t sum_bits = 0;           ///< bits of a signed integer that holds it
  int64_t accumulator_bits = 32;  ///< width that the layer's sums are given

  /// On x86 without VNNI: pairs of products may not fit into 16 bits, and the kernel for signed weights saturates them.
  bool pair_overflows() const { return signed_weights && adds_pairs && pair_channels > 0; }
  bool sum_overflows() const { return sum_bits > accumulator_bits; }
};

/// All such layers, in the graph's order: simulated (FakeQuantize), QDQ and integer ones. The bounds hold in whatever
/// order a kernel takes the inputs, so they may be larger than what any kernel meets.
std::vector<Accumulation> accumulations(const Graph& graph);

}  // namespace compress::analysis
