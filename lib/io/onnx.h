#pragma once

#include "graph/graph.h"

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

/// Model formats: ONNX, safetensors, checkpoints. The only module that sees ONNX's protobuf.
namespace compress::io {

/// The newest opset that the conformance tests cover.
inline constexpr int kNewestOpset = 28;
/// What files are written in unless they need a newer one.
inline constexpr int kUsualOpset = 17;

/// Reads an ONNX file (opset 7 and later) into the canonical form: shape arithmetic and constants folded, constant
/// inputs as attributes, no operators without effect, PyTorch's parameter names, the batch symbolic where the graph
/// allows it. Throws a request error for anything that is not such a model (cut, cyclic, unknown operator, sizes that
/// do not fit, ...).
Graph import_onnx(const std::filesystem::path& path);

/// The same from memory; `name` is for messages. External data cannot be read.
Graph import_onnx_bytes(std::string_view bytes, const std::string& name);

/// Reads what export_onnx wrote, node by node, without bringing anything to another form (checkpoints). `elsewhere`:
/// the tensors of ExportOptions::elsewhere.
Graph read_onnx_exactly(const std::filesystem::path& path, const std::map<std::string, at::Tensor>& elsewhere = {});
/// The same from memory; `name` is for messages.
Graph read_onnx_exactly_bytes(std::string_view bytes, const std::string& name);

struct ExportOptions {
  /// 13 to kNewestOpset; none: kUsualOpset, or the oldest one behind it that has all that the graph uses.
  std::optional<int> opset = {};
  bool own_operators = false;            ///< allow operators of the domain "compress", which other programs cannot run
  int64_t largest = 2'000'000'000;       ///< bytes of tensors; above that they go to a file beside the model
  bool external_data = false;            ///< tensors go to a file beside the model, however small the model is
  std::set<std::string> elsewhere = {};  ///< parameters whose tensors the caller keeps: only read_onnx_exactly takes it
};

/// The opset that a file of this graph gets when none is asked for.
int usual_opset(const Graph& graph);

/// What the file with the tensors of "model.onnx" is called: "model.onnx.data".
std::filesystem::path external_data_of(const std::filesystem::path& path);

/// The graph as an ONNX model. Throws a request error when an operator has no ONNX form in that opset or the tensors
/// would have to go to another file.
std::string export_onnx_bytes(const Graph& graph, ExportOptions options = {});

/// Writes a file, whole or not at all; large tensors go to external_data_of(file).
void export_onnx(const Graph& graph, const std::filesystem::path& path, ExportOptions options = {});

}  // namespace compress::io
