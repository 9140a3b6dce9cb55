// ONNX bytes -> Draft. Nothing in the file is trusted: every name, size and type is checked here, before anything is
// allocated or run.

#include "core/error.h"
#include "core/log.h"
#include "core/text.h"
#include "io/draft.h"
#include "io/onnx_tensor.h"
#include "io/own_record.h"

#include <google/protobuf/unknown_field_set.h>
#include <nlohmann/json.hpp>

namespace compress::io {
namespace {

constexpr int kOldestOpset = 7;
constexpr int kNewestOpset = 23;
/// NodeProto.metadata_props, which libonnx 1.12 does not know yet.
constexpr int kNodeMetadataField = 9;

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

/// The module path that PyTorch's exporters leave: "/layer1/layer1.0/conv1/Conv" or the metadata "['', 'layer1',
/// 'layer1.0.conv1', 'conv2d']".
std::string scope_from_path(std::string_view path) {
  std::string scope, last;
  auto parts = split(path, '/');
  for (size_t i = 1; i + 1 < parts.size(); ++i) {
    // Members of a Sequential repeat their parent: layer1, layer1.0.
    if (!last.empty() && parts[i].starts_with(last + "."))
      scope += parts[i].substr(last.size());
    else
      scope += (scope.empty() ? "" : ".") + parts[i];
    last = parts[i];
  }
  return scope;
}

std::string scope_from_list(const std::string& list) {
  std::vector<std::string> words;
  for (size_t start = list.find('\''); start != std::string::npos;) {
    const auto end = list.find('\'', start + 1);
    if (end == std::string::npos) break;
    words.push_back(list.substr(start + 1, end - start - 1));
    start = list.find('\'', end + 1);
  }
  return words.size() < 2 ? "?" : words[words.size() - 2];
}

std::string read_scope(const onnx::NodeProto& node) {
  const auto& unknown = node.GetReflection()->GetUnknownFields(node);
  for (int i = 0; i < unknown.field_count(); ++i) {
    const auto& field = unknown.field(i);
    if (field.number() != kNodeMetadataField || field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED)
      continue;
    onnx::StringStringEntryProto entry;
    if (entry.ParseFromString(field.length_delimited()) && entry.key() == "pkg.torch.onnx.name_scopes")
      return scope_from_list(entry.value());
  }
  return node.name().starts_with('/') ? scope_from_path(node.name()) : "?";
}

void read_attribute(DraftNode& node, const onnx::AttributeProto& attribute, const std::filesystem::path& folder) {
  const auto& name = attribute.name();
  if (name.empty()) throw request_error("{} has an attribute without a name", node.str());
  if (node.attributes.has(name) || node.tensors.contains(name))
    throw request_error("{} has two attributes '{}'", node.str(), name);
  using onnx::AttributeProto;
  switch (attribute.type()) {
  case AttributeProto::INT: node.attributes.set(name, int64_t{attribute.i()}); return;
  case AttributeProto::FLOAT: node.attributes.set(name, shortest(attribute.f())); return;
  case AttributeProto::STRING: node.attributes.set(name, attribute.s()); return;
  case AttributeProto::INTS:
    node.attributes.set(name, std::vector<int64_t>(attribute.ints().begin(), attribute.ints().end()));
    return;
  case AttributeProto::STRINGS:
    node.attributes.set(name, std::vector<std::string>(attribute.strings().begin(), attribute.strings().end()));
    return;
  case AttributeProto::FLOATS: {
    std::vector<double> numbers;
    for (const auto number : attribute.floats()) numbers.push_back(shortest(number));
    node.attributes.set(name, std::move(numbers));
    return;
  }
  case AttributeProto::TENSOR: node.tensors.emplace(name, read_tensor(attribute.t(), folder)); return;
  case AttributeProto::GRAPH:
  case AttributeProto::GRAPHS:
    throw request_error("{} holds a subgraph ('{}'), which is not supported", node.str(), name)
        .hint("export the model without control flow (If, Loop, Scan)");
  case AttributeProto::UNDEFINED:
    throw request_error("{}: attribute '{}' has no type", node.str(), name)
        .hint("the file is damaged or older than ONNX 1.0");
  default: throw request_error("{}: attribute '{}' is of a kind that is not supported", node.str(), name);
  }
}

DraftNode read_node(const onnx::NodeProto& proto, const std::filesystem::path& folder) {
  DraftNode node{.name = proto.name(),
                 .op = proto.op_type(),
                 .domain = proto.domain() == "ai.onnx" ? "" : proto.domain(),
                 .scope = read_scope(proto)};
  node.inputs.assign(proto.input().begin(), proto.input().end());
  node.outputs.assign(proto.output().begin(), proto.output().end());
  if (node.outputs.empty() || node.outputs.front().empty()) throw request_error("{} has no output", node.str());
  within("reading " + node.str(), [&] {
    for (const auto& attribute : proto.attribute()) read_attribute(node, attribute, folder);
  });
  return node;
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

/// torch's exporters number what they folded or lifted: "onnx::Conv_45", "123", "val_7"; those names say nothing.
bool is_lost(const std::string& name) {
  const auto digits_from = [&](size_t i) {
    return i < name.size() && name.find_first_not_of("0123456789", i) == std::string::npos;
  };
  return name.empty() || name.starts_with("onnx::") || name.starts_with('/') || digits_from(0) ||
         (name.starts_with("val_") && digits_from(4)) ||
         (name.starts_with('_') && name.find("_tensor_constant") != std::string::npos);
}

class Reader {
public:
  Reader(const onnx::ModelProto& model, const std::filesystem::path& folder) : model_(model), folder_(folder) {}

  Draft read(const std::string& name) {
    draft_.opset = read_opset(model_);
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
    sort_nodes(draft_);
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
      draft_.constants[proto.name()] = {read_tensor(proto, folder_), lost ? "" : proto.name()};
      draft_.constant_order.push_back(proto.name());
    }
  }

  void read_values() {
    const auto& graph = model_.graph();
    for (const auto& proto : graph.input()) {
      if (draft_.constants.contains(proto.name())) continue;  // before IR version 4 initialisers were inputs, too
      claim(proto.name(), "an input");
      draft_.inputs.push_back(read_input(proto));
    }
    for (const auto& proto : graph.node()) {
      draft_.nodes.push_back(read_node(proto, folder_));
      for (const auto& output : draft_.nodes.back().outputs)
        if (!output.empty()) claim(output, draft_.nodes.back().str());
    }
    std::set<std::string> names;
    for (const auto& proto : graph.output()) {
      if (!names.insert(proto.name()).second) throw request_error("two outputs are called '{}'", proto.name());
      draft_.outputs.push_back(proto.name());
    }
  }

  void check_references() const {
    for (const auto& node : draft_.nodes)
      for (const auto& input : node.inputs)
        if (!input.empty() && !values_.contains(input))
          throw request_error("{} reads '{}', which nothing makes", node.str(), input)
              .hint("the file is damaged; export the model again");
    for (const auto& output : draft_.outputs)
      if (!values_.contains(output)) throw request_error("output '{}' is made by no node", output);
  }

  const onnx::ModelProto& model_;
  const std::filesystem::path& folder_;
  Draft draft_;
  std::set<std::string> values_;
};

}  // namespace

Draft read_draft(std::string_view bytes, const std::string& name, const std::filesystem::path& folder) {
  const auto model = parse_model(bytes);
  return Reader(model, folder).read(name);
}

}  // namespace compress::io
