#pragma once

#include "graph/graph.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace compress::analysis {

/// A convolutional or linear layer as a runtime computes it on bytes.
struct IntegerLayer {
  const Node* node = nullptr;
  const Node* weight_quantizer = nullptr;  ///< FakeQuantize or DequantizeLinear; null when the weights are integers
  at::Tensor weights;                      ///< int64 [outputs, rest], zero point taken off
  bool signed_weights = true;              ///< how a file carries them
  int64_t largest_input = 255;             ///< as a byte without sign: kernels add 128 to signed ones
  at::Tensor bias;                         ///< int64 [outputs], on the grid of the sums; undefined when there is none
  bool depthwise = false;                  ///< a convolution in which each output reads one channel of its own
  int64_t accumulator_bits = 32;
};

/// The layers whose weights and inputs are integers of at most 8 bits: simulated by FakeQuantize, between
/// QuantizeLinear and DequantizeLinear, or integer operators (QLinearConv, MatMulInteger ...).
std::vector<IntegerLayer> integer_layers(const Graph& graph);

}  // namespace compress::analysis
