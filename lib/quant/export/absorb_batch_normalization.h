#pragma once

#include "graph/graph.h"

namespace compress::quant {

/// Takes a batch-norm behind a convolution or linear layer whose weight has a fixed grid of integers into the scales of
/// that weight. With f = gamma / sqrt(variance + epsilon): scale * |f| for each output channel, the integers mirrored
/// where f is negative, bias beta + (bias - mean) * f. The layer computes the same to within single precision, from the
/// same integers that were trained.
///
/// It stays where that cannot be: weights that others read, quantised biases, scales that are powers of two, formats in
/// floating point.
Changes absorb_batch_normalization(Graph& graph);

}  // namespace compress::quant
