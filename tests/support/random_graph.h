#pragma once

#include "graph/graph.h"

#include <cstdint>

namespace compress::test {

/// A small convolutional network that depends on the seed alone: input float[N,3,12,12], output [N,5]. Blocks are drawn
/// from convolution with or without batch-norm, bias and groups, residual additions (identity, 1x1 convolution, slice
/// and pad), concat, depthwise separable (with a multiplier too), channel shuffle, squeeze and excitation, transposed
/// convolution, split and slices of channels (with steps too), depth to space and pooling; the tail is flatten or
/// global pooling and two linear layers. Weights and statistics are random.
Graph random_graph(uint64_t seed);

/// A normal input for the graph's first input.
at::Tensor random_input(const Graph& graph, int64_t batch, uint64_t seed);

enum class MaskKind {
  channels,  ///< everything that makes a channel zero: filter, bias, gamma, beta of all coupled layers
  filters    ///< single filters of single layers, nothing else
};
/// Sets masks on random channels of an untouched graph and applies them; at least one channel of every layer stays.
void random_masks(Graph& graph, MaskKind kind, uint64_t seed);

}  // namespace compress::test
