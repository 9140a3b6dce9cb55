#include "io/inline_function.h"

#include "core/error.h"

#include <google/protobuf/unknown_field_set.h>

#include <map>
#include <string>

namespace compress::io {
namespace {

/// FunctionProto.attribute_proto (attributes with defaults), which libonnx 1.12 does not know yet.
constexpr int kDefaultsField = 11;

using AttributesByName = std::map<std::string, onnx::AttributeProto>;

AttributesByName attributes_of(const onnx::NodeProto& call, const onnx::FunctionProto& function) {
  AttributesByName attributes;
  const auto& unknown = function.GetReflection()->GetUnknownFields(function);
  for (int i = 0; i < unknown.field_count(); ++i) {
    const auto& field = unknown.field(i);
    onnx::AttributeProto attribute;
    if (field.number() == kDefaultsField && field.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED &&
        attribute.ParseFromString(field.length_delimited()))
      attributes[attribute.name()] = attribute;
  }
  for (const auto& attribute : call.attribute()) attributes[attribute.name()] = attribute;
  return attributes;
}

class Inliner {
public:
  Inliner(const onnx::NodeProto& call, const onnx::FunctionProto& function, int64_t number)
      : attributes_(attributes_of(call, function)), prefix_(fmt::format("{}%{}/", function.name(), number)),
        scope_(call.name().empty() ? "" : call.name() + "/") {
    if (call.input_size() > function.input_size() || call.output_size() > function.output_size())
      throw request_error("a call has {} inputs and {} outputs, the function '{}' has {} and {}", call.input_size(),
                          call.output_size(), function.name(), function.input_size(), function.output_size());
    for (int i = 0; i < function.input_size(); ++i)
      values_[function.input(i)] = i < call.input_size() ? call.input(i) : "";
  }

  std::vector<onnx::NodeProto> run(const onnx::NodeProto& call, const onnx::FunctionProto& function) {
    std::vector<onnx::NodeProto> nodes;
    for (int k = 0; k < call.output_size(); ++k) {
      if (call.output(k).empty()) continue;
      const auto [place, is_new] = values_.try_emplace(function.output(k), call.output(k));
      if (!is_new) nodes.push_back(identity(place->second, call.output(k)));
    }
    for (const auto& node : function.node()) {
      nodes.push_back(node);
      adapt(nodes.back());
    }
    return nodes;
  }

private:
  /// An output that is an input, or another output.
  static onnx::NodeProto identity(const std::string& from, const std::string& to) {
    onnx::NodeProto node;
    node.set_op_type("Identity");
    node.add_input(from);
    node.add_output(to);
    return node;
  }

  void rename(std::string& value) const {
    if (value.empty()) return;
    const auto known = values_.find(value);
    value = known == values_.end() ? prefix_ + value : known->second;
  }

  void adapt(onnx::NodeProto& node) const {
    if (!node.name().empty() && !scope_.empty()) node.set_name(scope_ + node.name());
    for (auto& input : *node.mutable_input()) rename(input);
    for (auto& output : *node.mutable_output()) rename(output);
    for (int i = node.attribute_size() - 1; i >= 0; --i)
      if (!adapt(*node.mutable_attribute(i))) node.mutable_attribute()->DeleteSubrange(i, 1);
  }

  /// False when it refers to an attribute that the call leaves out.
  bool adapt(onnx::AttributeProto& attribute) const {
    if (!attribute.ref_attr_name().empty()) {
      const auto given = attributes_.find(attribute.ref_attr_name());
      if (given == attributes_.end()) return false;
      const auto name = attribute.name();
      attribute = given->second;
      attribute.set_name(name);
      return true;
    }
    if (attribute.has_g()) adapt(*attribute.mutable_g());
    for (auto& graph : *attribute.mutable_graphs()) adapt(graph);
    return true;
  }

  void adapt(onnx::GraphProto& graph) const {
    for (auto& tensor : *graph.mutable_initializer()) rename(*tensor.mutable_name());
    for (auto& input : *graph.mutable_input()) rename(*input.mutable_name());
    for (auto& output : *graph.mutable_output()) rename(*output.mutable_name());
    for (auto& node : *graph.mutable_node()) adapt(node);
  }

  const AttributesByName attributes_;
  const std::string prefix_, scope_;
  std::map<std::string, std::string> values_;  ///< of the function's inputs and outputs: what the caller calls them
};

}  // namespace

std::vector<onnx::NodeProto> inlined(const onnx::NodeProto& call, const onnx::FunctionProto& function, int64_t number) {
  return Inliner(call, function, number).run(call, function);
}

}  // namespace compress::io
