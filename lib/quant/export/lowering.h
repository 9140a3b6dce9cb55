#pragma once

#include "graph/graph.h"
#include "io/onnx.h"

/// What a quantised network becomes in files. Each takes a graph with FakeQuantize nodes, finishes a copy of it (see
/// finish()) and gives what other programs compute; the given graph stays as it is.
namespace compress::quant {

/// ONNX's "QDQ" form: each FakeQuantize is a QuantizeLinear and a DequantizeLinear, each quantised constant an integer
/// tensor with a DequantizeLinear. Grids of up to 8 bits are carried by int8 or uint8, from opset 21 on those of up to
/// 4 bits by int4 or uint4; 9 to 16 bits by int16 or uint16 (opset 21; constants without zero point below it by int32);
/// 8-bit floating point by its own types (opset 19); scales of groups are `block_size` (opset 21); halves are Casts;
/// `dynamic` is DynamicQuantizeLinear. What a grid leaves of its type is cut off by a Clip. Throws a request error for
/// grids that ONNX cannot express (GFPQ).
Graph lower_to_qdq(const Graph& graph, int opset = io::kUsualOpset);

/// ONNX's "QOperator" form, as far as its standard operators reach: QLinearConv and QLinearMatMul where the result goes
/// onto a grid of 8 bits, ConvInteger and MatMulInteger with a 32-bit bias where it stays in floating point (or has a
/// bias that QLinearMatMul does not take), integer Clip, MaxPool, Concat and reshapes in between. Everything else, such
/// as additions, stays in the QDQ form.
Graph lower_to_qoperator(const Graph& graph, int opset = io::kUsualOpset);

/// The network in floating point, without quantisers: weights and biases have the values of their grids, activations
/// are as they come. For runtimes that quantise by themselves and take the ranges from a file (encodings.h).
Graph lower_to_float(const Graph& graph);

}  // namespace compress::quant
