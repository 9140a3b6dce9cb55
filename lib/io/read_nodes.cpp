#include "io/read_nodes.h"

#include "core/error.h"
#include "core/text.h"
#include "io/inline_function.h"
#include "io/onnx_tensor.h"

#include <google/protobuf/unknown_field_set.h>

#include <algorithm>

namespace compress::io {
namespace {

/// NodeProto.metadata_props, which libonnx 1.12 does not know yet.
constexpr int kNodeMetadataField = 9;
constexpr int64_t kMostNodes = 200'000;
constexpr int64_t kMostExpandedBytes = int64_t{1} << 30;

std::string main_domain(const std::string& domain) {
  return domain == "ai.onnx" ? "" : domain;
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

bool takes_subgraphs(const DraftNode& node) {
  return node.domain.empty() && (node.op == "If" || node.op == "Loop");
}

/// Outputs that are left out before one that is used get a name nobody can read.
void name_absent_outputs(DraftNode& node) {
  while (!node.outputs.empty() && node.outputs.back().empty()) node.outputs.pop_back();
  if (node.outputs.empty()) throw request_error("{} has no output", node.str());
  for (size_t k = 0; k < node.outputs.size(); ++k)
    if (node.outputs[k].empty()) node.outputs[k] = fmt::format("{}%absent{}", node.outputs.back(), k);
}

/// Names inside a subgraph are unique; what no node of it makes comes from outside.
void find_outer_values(Body& body) {
  std::set<std::string> own;
  const auto claim = [&](const std::string& value) {
    if (!own.insert(value).second)
      throw request_error("two values of a subgraph are called '{}'", value).hint("names must be unique");
  };
  for (const auto& input : body.inputs) claim(input);
  for (const auto& [value, constant] : body.constants) claim(value);
  for (const auto& node : body.nodes) std::ranges::for_each(node.outputs, claim);
  const auto use = [&](const std::string& value) {
    if (!value.empty() && !own.contains(value)) body.outer.insert(value);
  };
  for (const auto& node : body.nodes) std::ranges::for_each(node.reads(), use);
  std::ranges::for_each(body.outputs, use);
}

}  // namespace

/// torch's exporters number what they folded or lifted: "onnx::Conv_45", "123", "val_7"; those names say nothing.
bool is_lost(const std::string& name) {
  const auto digits_from = [&](size_t i) {
    return i < name.size() && name.find_first_not_of("0123456789", i) == std::string::npos;
  };
  return name.empty() || name.starts_with("onnx::") || name.starts_with('/') || digits_from(0) ||
         (name.starts_with("val_") && digits_from(4)) ||
         (name.starts_with('_') && name.find("_tensor_constant") != std::string::npos);
}

NodeReader::NodeReader(const onnx::ModelProto& model, const std::filesystem::path& folder, int64_t opset)
    : model_(model), folder_(folder), opset_(opset) {
  for (const auto& function : model.functions()) {
    const bool is_new = functions_.try_emplace({main_domain(function.domain()), function.name()}, &function).second;
    if (!is_new) throw request_error("the model has two functions '{}', which is not supported", function.name());
  }
}

std::vector<DraftNode> NodeReader::read(const Nodes& nodes) {
  return read(nodes, opset_);
}

std::vector<DraftNode> NodeReader::read(const Nodes& nodes, int64_t opset) {
  std::vector<DraftNode> result;
  for (const auto& node : nodes) read_into(result, node, opset);
  return result;
}

void NodeReader::read_into(std::vector<DraftNode>& result, const onnx::NodeProto& proto, int64_t opset) {
  if (++nodes_ > kMostNodes) throw request_error("the model has more than {} nodes", kMostNodes);
  if (const auto* function = function_of(proto)) return expand(result, proto, *function);
  result.push_back(read_node(proto, opset));
}

const onnx::FunctionProto* NodeReader::function_of(const onnx::NodeProto& node) const {
  const auto found = functions_.find({main_domain(node.domain()), node.op_type()});
  return found == functions_.end() ? nullptr : found->second;
}

int64_t NodeReader::opset_of(const onnx::FunctionProto& function) const {
  for (const auto& entry : function.opset_import())
    if (main_domain(entry.domain()).empty()) return entry.version();
  return opset_;
}

void NodeReader::expand(std::vector<DraftNode>& result,
                        const onnx::NodeProto& call,
                        const onnx::FunctionProto& function) {
  if (std::ranges::find(active_, &function) != active_.end())
    throw request_error("the function '{}' calls itself", function.name()).hint("ONNX knows no recursion");
  expanded_ += static_cast<int64_t>(function.ByteSizeLong());
  if (expanded_ > kMostExpandedBytes)
    throw request_error("calls of the function '{}' make the model larger than {}", function.name(),
                        human_bytes(kMostExpandedBytes));
  active_.push_back(&function);
  within(fmt::format("expanding the function '{}'", function.name()), [&] {
    for (const auto& node : inlined(call, function, nodes_)) read_into(result, node, opset_of(function));
  });
  active_.pop_back();
}

DraftNode NodeReader::read_node(const onnx::NodeProto& proto, int64_t opset) {
  DraftNode node{.name = proto.name(),
                 .op = proto.op_type(),
                 .domain = main_domain(proto.domain()),
                 .scope = read_scope(proto),
                 .opset = opset};
  node.inputs.assign(proto.input().begin(), proto.input().end());
  node.outputs.assign(proto.output().begin(), proto.output().end());
  name_absent_outputs(node);
  within("reading " + node.str(), [&] {
    for (const auto& attribute : proto.attribute()) read_attribute(node, attribute);
  });
  return node;
}

void NodeReader::read_attribute(DraftNode& node, const onnx::AttributeProto& attribute) {
  const auto& name = attribute.name();
  if (name.empty()) throw request_error("{} has an attribute without a name", node.str());
  if (node.attributes.has(name) || node.tensors.contains(name) || node.bodies.contains(name))
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
  case AttributeProto::TENSOR: node.tensors.emplace(name, read_tensor(attribute.t(), folder_)); return;
  case AttributeProto::GRAPH:
    if (!takes_subgraphs(node)) break;
    node.bodies.emplace(name, std::make_shared<Body>(read_body(attribute.g(), node.opset)));
    return;
  case AttributeProto::GRAPHS: break;
  case AttributeProto::UNDEFINED:
    throw request_error("{}: attribute '{}' has no type", node.str(), name)
        .hint("the file is damaged or older than ONNX 1.0");
  default: throw request_error("{}: attribute '{}' is of a kind that is not supported", node.str(), name);
  }
  throw request_error("{} holds a subgraph ('{}'), which is not supported", node.str(), name)
      .hint("of control flow only If and Loop are, with conditions and counts that are known at import");
}

Body NodeReader::read_body(const onnx::GraphProto& graph, int64_t opset) {
  Body body;
  if (graph.sparse_initializer_size() > 0) throw request_error("sparse initialisers are not supported");
  for (const auto& proto : graph.initializer())
    if (!body.constants
             .try_emplace(proto.name(), read_tensor(proto, folder_), is_lost(proto.name()) ? "" : proto.name())
             .second)
      throw request_error("two initialisers of a subgraph are called '{}'", proto.name());
  for (const auto& input : graph.input())
    if (!body.constants.contains(input.name())) body.inputs.push_back(input.name());
  body.nodes = read(graph.node(), opset);
  for (const auto& output : graph.output()) body.outputs.push_back(output.name());
  find_outer_values(body);
  sort_nodes(body.nodes);
  return body;
}

}  // namespace compress::io
