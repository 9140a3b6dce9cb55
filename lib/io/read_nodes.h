#pragma once

#include "io/draft.h"

#include <onnx/onnx_pb.h>

#include <filesystem>
#include <string>
#include <vector>

namespace compress::io {

/// torch's exporters number what they folded or lifted: "onnx::Conv_45", "123", "val_7"; those names say nothing.
bool is_lost(const std::string& name);

/// Reads nodes with their attributes and subgraphs. Calls of functions that the model itself defines are replaced by
/// the functions' nodes. Throws a request error for functions that call themselves and for models that grow beyond
/// reason.
class NodeReader {
public:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

  /// `opset` is the model's.
  NodeReader(const onnx::ModelProto& model, const std::filesystem::path& folder, int64_t opset);

  std::vector<DraftNode> read(const Nodes& nodes);

private:
  std::vector<DraftNode> read(const Nodes& nodes, int64_t opset);
  void read_into(std::vector<DraftNode>& result, const onnx::NodeProto& proto, int64_t opset);
  void expand(std::vector<DraftNode>& result, const onnx::NodeProto& call, const onnx::FunctionProto& function);
  DraftNode read_node(const onnx::NodeProto& proto, int64_t opset);
  void read_attribute(DraftNode& node, const onnx::AttributeProto& attribute);
  Body read_body(const onnx::GraphProto& graph, int64_t opset);
  const onnx::FunctionProto* function_of(const onnx::NodeProto& node) const;
  int64_t opset_of(const onnx::FunctionProto& function) const;

  const onnx::ModelProto& model_;
  const std::filesystem::path& folder_;
  const int64_t opset_;
  std::map<std::pair<std::string, std::string>, const onnx::FunctionProto*> functions_;  ///< by domain and name
  std::vector<const onnx::FunctionProto*> active_;
  int64_t nodes_ = 0;     ///< read so far
  int64_t expanded_ = 0;  ///< bytes that calls of functions have added
};

}  // namespace compress::io
