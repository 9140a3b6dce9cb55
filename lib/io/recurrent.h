#pragma once

#include "io/draft.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>

/// ONNX's recurrent operators hold one or both directions of a layer, with the gates' rows in one tensor [directions,
/// gates * hidden, ...], both biases in another, and in an order of its own; the graph has a node for each direction
/// with PyTorch's parameters (ops/recurrent_layer.h). Import is Folding::split_recurrent.
namespace compress::io {

/// LSTM, GRU or RNN of ONNX.
bool is_onnx_recurrent(const DraftNode& node);

/// What ONNX uses when `activations` is not given, "Sigmoid,Tanh,Tanh".
std::string default_activations(std::string_view op);

/// Rows gate by gate in another order; `packed` has gates * hidden of them on its first axis.
at::Tensor gates_from_onnx(const at::Tensor& packed, int64_t gates);
at::Tensor gates_to_onnx(const at::Tensor& rows, int64_t gates);
/// The peephole's three gates: input, output, forget <-> input, forget, output.
at::Tensor swap_last_gates(const at::Tensor& peephole);

/// In ONNX's form one initialiser stands for one or several parameters; its name joins theirs with '+', so that import
/// finds them again.
struct PackedTensor {
  std::string name;
  at::Tensor value;  ///< undefined: another parameter's initialiser holds it
};
/// By parameter, those that only recurrent layers read.
std::map<std::string, PackedTensor, std::less<>> packed_parameters(const Graph& graph);

/// Nodes and initialisers that one node of the graph becomes in a file.
struct OnnxPieces {
  std::vector<DraftNode> nodes;
  std::map<std::string, at::Tensor> constants;
};
/// Names of values in the file.
struct FileNames {
  std::function<std::string(const std::string& value)> of;
  std::function<std::string(const std::string& base)> fresh;
};

bool has_onnx_pieces(const Node& node);
/// Throws a request error when ONNX has no form for it (computed weights).
OnnxPieces onnx_pieces(const Graph& graph, const Node& node, const FileNames& names);

}  // namespace compress::io
