// ONNX bytes -> Draft. Nothing in the file is trusted: every name, size and type is checked here, before anything is
// allocated or run.

#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "io/draft.h"
#include "io/onnx.h"
#include "io/onnx_tensor.h"
#include "io/own_record.h"
#include "io/read_nodes.h"

#include <onnx/onnx_pb.h>

namespace compress::io {
namespace {

constexpr int kOldestOpset = 7;

onnx::ModelProto parse_model(std::string_view bytes) {
  onnx::ModelProto model;
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()))
    throw request_error("the file has {}, ONNX files can have 2 GiB", human_bytes(static_cast<int64_t>(bytes.size())))
        .hint("store the tensors as external data");
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    throw request_error("this is no ONNX model, or it is cut off ({} bytes)", bytes.size())
        .hint("copy or export the file again");
  if (!model.has_graph() || model.graph().output_size() == 0)
    throw request_error("this is no ONNX model: it has no graph with outputs ({} bytes)", bytes.size());
  return model;
}

int64_t read_opset(const onnx::ModelProto& model) {
  for (const auto& entry : model.opset_import()) {
    if (!entry.domain().empty() && entry.domain() != "ai.onnx") continue;
    if (entry.version() < kOldestOpset)
      throw request_error("the model uses ONNX opset {}, the oldest that is supported is {}", entry.version(),
                          kOldestOpset)
          .hint("export it again with a newer opset, or use onnx.version_converter");
    if (entry.version() > kNewestOpset)
      log::warning("[import] the model uses ONNX opset {}, newer than {}, the last one this program was tested with",
                   entry.version(), kNewestOpset);
    return entry.version();
  }
  throw request_error("the model does not say which ONNX opset it uses (opset_import)");
}

/// Sizes as in the file; kBatch for a symbolic first one.
GraphInput read_input(const onnx::ValueInfoProto& proto) {
  GraphInput input{.name = proto.name()};
  if (!proto.type().has_tensor_type()) throw request_error("input '{}' is no tensor", proto.name());
  const auto& tensor = proto.type().tensor_type();
  const auto type = scalar_type(tensor.elem_type());
  if (!type)
    throw request_error("input '{}' has an element type that is not supported ({})", proto.name(), tensor.elem_type());
  if (!tensor.has_shape())
    throw request_error("input '{}' has no shape", proto.name()).hint("export the model with fixed sizes");
  input.type = *type;
  for (int axis = 0; axis < tensor.shape().dim_size(); ++axis) {
    const auto& dim = tensor.shape().dim(axis);
    const bool known = dim.has_dim_value() && dim.dim_value() > 0;
    if (dim.has_dim_value() && dim.dim_value() < -1)
      throw request_error("input '{}' has the impossible size {}", proto.name(), dim.dim_value());
    if (axis > 0 && dim.has_dim_value() && dim.dim_value() == 0)
      throw request_error("input '{}': size {} is 0, so that the network would have nothing to read", proto.name(),
                          axis)
          .hint("export the model with fixed sizes, leaving only the batch dynamic");
    if (!known && axis > 0)
      throw request_error("input '{}': size {} is not fixed ('{}'), only the batch (the first) may be", proto.name(),
                          axis, dim.dim_param())
          .hint("export the model with fixed sizes, leaving only the batch dynamic");
    input.shape.push_back(known ? dim.dim_value() : kBatch);
  }
  Shape one = input.shape;
  for (auto& size : one) size = std::max<int64_t>(size, 1);
  if (!element_count(one)) throw request_error("input '{}' has the impossible shape {}", proto.name(), shape_text(one));
  return input;
}

class Reader {
public:
  Reader(const onnx::ModelProto& model,
         const std::filesystem::path& folder,
         const std::map<std::string, at::Tensor>& elsewhere)
      : model_(model), folder_(folder), elsewhere_(elsewhere) {}

  Draft read(const std::string& name) {
    for (const auto& entry : model_.metadata_props()) draft_.metadata[entry.key()] = entry.value();
    if (const auto record = draft_.metadata.find(kOwnRecordKey); record != draft_.metadata.end()) {
      draft_.own = parse_own_record(record->second);
      draft_.metadata.erase(record);
    }
    const auto& given = model_.graph().name();
    const bool nameless = given.empty() || given == "main_graph" || given == "torch_jit" || given == "torch-jit-export";
    draft_.name = nameless && !draft_.own ? std::filesystem::path(name).stem().string() : given;
    read_constants();
    read_values();
    check_references();
    sort_nodes(draft_.nodes);
    return std::move(draft_);
  }

private:
  void claim(const std::string& value, const std::string& what) {
    if (value.empty()) throw request_error("{} has an empty name", what);
    if (!values_.insert(value).second)
      throw request_error("two values are called '{}' ({} is the second)", value, what).hint("names must be unique");
  }

  void read_constants() {
    const auto& graph = model_.graph();
    if (graph.sparse_initializer_size() > 0) throw request_error("sparse initialisers are not supported");
    for (const auto& proto : graph.initializer()) {
      claim(proto.name(), "an initialiser");
      const bool lost = !draft_.own && is_lost(proto.name());
      const auto kept = elsewhere_.find(proto.name());
      auto value = kept == elsewhere_.end() ? read_constant(proto) : take_tensor_elsewhere(proto, kept->second);
      draft_.constants[proto.name()] = {std::move(value), lost ? "" : proto.name()};
      draft_.constant_order.push_back(proto.name());
    }
  }

  at::Tensor read_constant(const onnx::TensorProto& proto) {
    if (!is_four_bits(proto.data_type())) return read_tensor(proto, folder_);
    four_bits_.insert(proto.name());
    return read_four_bits(proto, folder_);
  }

  /// The nodes remember what their bytes stand for.
  void mark_four_bits(DraftNode& node) const {
    const bool quantizer = node.domain.empty() && (node.op == "QuantizeLinear" || node.op == "DequantizeLinear");
    if (const auto type = static_cast<int>(node.attributes.integer("output_dtype", 0));
        quantizer && is_four_bits(type)) {
      node.attributes.set("output_dtype", int64_t{type == kUInt4 ? onnx::TensorProto::UINT8 : onnx::TensorProto::INT8});
      node.attributes.set("bits", int64_t{4});
    }
    for (const auto& input : node.reads()) {
      if (!four_bits_.contains(input)) continue;
      if (!quantizer)
        throw request_error("{} reads '{}', which holds integers of 4 bits", node.str(), input)
            .hint("only QuantizeLinear and DequantizeLinear may");
      node.attributes.set("bits", int64_t{4});
    }
  }

  void read_values() {
    const auto& graph = model_.graph();
    for (const auto& proto : graph.input()) {
      if (draft_.constants.contains(proto.name())) continue;  // before IR version 4 initialisers were inputs, too
      claim(proto.name(), "an input");
      draft_.inputs.push_back(read_input(proto));
    }
    draft_.nodes = NodeReader(model_, folder_, read_opset(model_)).read(graph.node());
    for (auto& node : draft_.nodes) mark_four_bits(node);
    for (const auto& node : draft_.nodes)
      for (const auto& output : node.outputs) claim(output, node.str());
    std::set<std::string> names;
    for (const auto& proto : graph.output()) {
      if (!names.insert(proto.name()).second) throw request_error("two outputs are called '{}'", proto.name());
      draft_.outputs.push_back(proto.name());
    }
  }

  void check_references() const {
    for (const auto& node : draft_.nodes)
      for (const auto& input : node.reads())
        if (!input.empty() && !values_.contains(input))
          throw request_error("{} reads '{}', which nothing makes", node.str(), input)
              .hint("the file is damaged; export the model again");
    for (const auto& output : draft_.outputs)
      if (!values_.contains(output)) throw request_error("output '{}' is made by no node", output);
  }

  const onnx::ModelProto& model_;
  const std::filesystem::path& folder_;
  const std::map<std::string, at::Tensor>& elsewhere_;
  Draft draft_;
  std::set<std::string> values_;
  std::set<std::string> four_bits_;  ///< constants
};

}  // namespace

Draft read_draft(std::string_view bytes,
                 const std::string& name,
                 const std::filesystem::path& folder,
                 const std::map<std::string, at::Tensor>& elsewhere) {
  const auto model = parse_model(bytes);
  return Reader(model, folder, elsewhere).read(name);
}

}  // namespace compress::io
