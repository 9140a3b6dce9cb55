#pragma once

#include "graph/graph.h"

namespace compress::io {

/// Throws a request error when ONNX of this opset does not know the node's operator yet.
void check_operator_opset(const Node& node, int opset);

/// Throws a request error when the node quantises to a type that ONNX of this opset does not know yet.
void check_type_opset(const Graph& graph, const Node& node, int opset);

/// Throws a request error when the node has an attribute, or a word as its value, that ONNX of this opset does not know
/// yet, though it knows the operator. (https://onnx.ai/onnx/operators)
void check_attribute_opsets(const Node& node, int opset);

}  // namespace compress::io
