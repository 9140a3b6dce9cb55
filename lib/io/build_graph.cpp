#include "io/convert_node.h"
#include "io/draft.h"
#include "io/import_names.h"

#include <algorithm>

namespace compress::io {
namespace {

Names names_in_file(const Draft& draft) {
  Names names;
  for (const auto& node : draft.nodes) {
    if (node.name.empty()) throw request_error("{} has no name", node.str());
    names.nodes.push_back(node.name);
  }
  for (const auto& value : draft.constant_order) names.parameters[value] = value;
  return names;
}

/// Statistics, grids and constants that no named parameter held are not trained.
bool trains(const Draft& draft, const std::string& value) {
  const auto& constant = draft.constants.at(value);
  // Eight bits of floating point are what a quantiser made.
  if (!at::isFloatingType(constant.value.scalar_type()) || constant.value.element_size() == 1) return false;
  for (const auto& node : draft.nodes)
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != value) continue;
      const auto role = role_of(node, i);
      if (role != "weight" && role != "bias" && (role != "constant" || constant.name.empty())) return false;
    }
  return true;
}

class Builder {
public:
  Builder(const Draft& draft, Names names) : draft_(draft), names_(std::move(names)), graph_(draft.name) {}

  Graph run() {
    graph_.metadata = draft_.metadata;
    graph_.inputs = draft_.inputs;
    for (const auto& input : draft_.inputs) values_[input.name] = input.name;
    for (const auto& value : draft_.constant_order) add_parameter(value);
    for (size_t i = 0; i < draft_.nodes.size(); ++i) add_node(draft_.nodes[i], names_.nodes[i]);
    for (size_t i = 0; i < draft_.outputs.size(); ++i)
      graph_.outputs.push_back({draft_.outputs[i], values_.at(draft_.output_values[i])});
    return std::move(graph_);
  }

private:
  void add_parameter(const std::string& value) {
    const auto& constant = draft_.constants.at(value);
    const auto& name = names_.parameters.at(value);
    values_[value] = name;
    const bool trainable = draft_.own ? !draft_.own->fixed.contains(name) : trains(draft_, value);
    // Computed constants may be views of each other; parameters are written in place.
    graph_.add_parameter(
        {.name = name, .value = constant.value.clone(at::MemoryFormat::Contiguous), .trainable = trainable});
  }

  void add_node(const DraftNode& draft, const std::string& name) {
    Node node{.name = name,
              .op = draft.op,
              .attributes = draft.attributes,
              .outputs = static_cast<int>(draft.outputs.size())};
    for (const auto& input : draft.inputs) node.inputs.push_back(input.empty() ? "" : values_.at(input));
    if (draft_.own)
      if (const auto exact = draft_.own->exact.find(name); exact != draft_.own->exact.end())
        for (const auto& [attribute, value] : exact->second)
          if (node.attributes.has(attribute)) node.attributes.set(attribute, value);
    for (int k = 0; k < node.outputs; ++k) values_[draft.outputs[static_cast<size_t>(k)]] = node.output(k);
    graph_.add(std::move(node));
  }

  const Draft& draft_;
  const Names names_;
  Graph graph_;
  std::map<std::string, std::string> values_;
};

}  // namespace

Graph build_graph(const Draft& draft, Naming naming) {
  return Builder(draft, naming == Naming::canonical ? canonical_names(draft) : names_in_file(draft)).run();
}

}  // namespace compress::io
