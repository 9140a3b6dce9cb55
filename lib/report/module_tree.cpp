#include "report/module_tree.h"

#include "analysis/weight.h"
#include "core/text.h"

#include <algorithm>

namespace compress::report {

namespace {

/// "/layer1/layer1.0/conv1/Conv" -> "layer1.0.conv1.Conv": each scope of a numbered module repeats its parent's name.
std::string without_scopes(std::string_view name) {
  std::string path, last;
  for (const auto& part : split(name, '/')) {
    if (part.empty()) continue;
    if (path.empty() || part.starts_with(last + "."))
      path.resize(path.size() - last.size());
    else
      path += '.';
    path += part;
    last = part;
  }
  return path;
}

Module& child(Module& parent, const std::string& name) {
  const auto found = std::ranges::find(parent.children, name, &Module::name);
  if (found != parent.children.end()) return *found;
  return parent.children.emplace_back(
      Module{.name = name, .path = parent.path.empty() ? name : parent.path + "." + name});
}

void collect_nodes(const Module& module, std::vector<const Node*>& nodes) {
  if (module.node) nodes.push_back(module.node);
  for (const auto& child : module.children) collect_nodes(child, nodes);
}

}  // namespace

std::vector<const Node*> Module::nodes() const {
  std::vector<const Node*> nodes;
  collect_nodes(*this, nodes);
  return nodes;
}

std::vector<std::string> module_path(std::string_view name) {
  std::vector<std::string> parts;
  for (auto& part : split(name.starts_with('/') ? without_scopes(name) : std::string(name), '.'))
    if (!part.empty()) parts.push_back(std::move(part));
  if (parts.empty()) parts.emplace_back(name);
  return parts;
}

Module module_tree(const Graph& graph) {
  Module root;
  for (const Node& node : graph.nodes()) {
    if (analysis::is_parameter_quantizer(graph, node)) continue;
    Module* place = &root;
    for (const auto& part : module_path(node.name)) place = &child(*place, part);
    // Two names can mean one path ("a.b" and "/a/b"); each node keeps a place of its own.
    if (place->node) place = &child(*place, node.name);
    place->node = &node;
  }
  return root;
}

}  // namespace compress::report
