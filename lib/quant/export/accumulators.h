#pragma once

#include "graph/graph.h"

/// What a layer of integers does around its sum of products: the sum has the step input scale x weight scale, and
/// biases, narrow registers and the multiplier that brings it to the output's grid follow from that.
namespace compress::quant {

/// The fixed quantiser of integers behind an input of a node; null when there is none.
const Node* integer_quantizer(const Graph& graph, const Node& node, int input);

/// The step of a layer's sums: one number, or one per output channel. Undefined when input or weight is not on a fixed
/// grid of integers, or when the weight's groups have scales of their own: such sums have no common step.
at::Tensor sum_scale(const Graph& graph, const Node& layer);

/// The quantiser of a layer's bias when that is on the grid of the sums; null when it is not.
const Node* bias_on_sums(const Graph& graph, const Node& layer);

/// True for the FakeQuantize that narrow_accumulators() puts behind a layer.
bool is_accumulator(const Node& node);

/// Puts the biases on the grid of the sums, where there is one: they are added without rounding. Their width is the
/// accumulator's. In one of full width a bias takes at most half of the range: where the weights of a channel are so
/// small beside it that it would not fit, their scale grows; where all of them are 0, which every scale holds, they get
/// one that suits the bias. A narrow accumulator saturates instead, and a bias with a grid of its own gives that up for
/// it. Throws a run error that names the bias when it is not finite.
void quantize_biases(Graph& graph, Changes& changes);

/// Realises the attribute `multiplier_bits` of weights' quantisers (Distiller's scale_approx_mult_bits): where a
/// layer's output has a fixed grid of integers, the weight's scale is changed a little, so that sum scale / output
/// scale is a multiplier of so many bits and a shift (ops::fixed_point_scale). The integers of weights and biases stay
/// as they are; the real numbers follow. Throws a request error when layers that share a weight would need several
/// scales.
void approximate_multipliers(Graph& graph, Changes& changes);

/// Realises the attribute `accumulator_bits` (Distiller's bits_accum): below 32, a FakeQuantize of that many bits on
/// the grid of the sums stands behind the layer and saturates as the register would at the end of the sum, bias
/// included. A warning says where there is no such grid, or the bias is not on it.
void narrow_accumulators(Graph& graph, Changes& changes);

}  // namespace compress::quant
