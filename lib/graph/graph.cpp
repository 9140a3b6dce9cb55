#include "graph/graph.h"

#include "core/text.h"

#include <algorithm>
#include <atomic>
#include <charconv>

namespace compress {

Graph Graph::clone() const {
  Graph copy(name);
  copy.inputs = inputs;
  copy.outputs = outputs;
  copy.metadata = metadata;
  for (const auto& node : nodes_) {
    const auto& owned = copy.nodes_.emplace_back(std::make_unique<Node>(*node));
    copy.node_index_.emplace(owned->name, owned.get());
  }
  for (const auto& parameter : parameters_) {
    const auto& owned = copy.parameters_.emplace_back(std::make_unique<Parameter>(*parameter));
    copy.parameter_index_.emplace(owned->name, owned.get());
  }
  copy.version_ = version_;
  return copy;
}

void Graph::touch() {
  static std::atomic<uint64_t> last{0};
  version_ = ++last;
}

const Node* Graph::find_node(std::string_view name) const {
  const auto found = node_index_.find(name);
  return found == node_index_.end() ? nullptr : found->second;
}

Node* Graph::find_node(std::string_view name) {
  return const_cast<Node*>(std::as_const(*this).find_node(name));
}

const Node& Graph::node(std::string_view name) const {
  if (const Node* found = find_node(name)) return *found;
  std::vector<std::string> names;
  for (const Node& node : nodes()) names.push_back(node.name);
  throw request_error("'{}' has no node '{}'", this->name, name).hint(did_you_mean(name, names));
}

Node& Graph::node(std::string_view name) {
  return const_cast<Node&>(std::as_const(*this).node(name));
}

bool Graph::taken(std::string_view name) const {
  return is_input(name) || producer(name) || find_parameter(name);
}

void Graph::claim(const std::string& name) const {
  if (name.empty()) throw request_error("a node, input or parameter of '{}' has an empty name", this->name);
  if (taken(name)) throw request_error("the name '{}' is already used in '{}'", name, this->name);
}

size_t Graph::position(const Node& node) const {
  const auto found = std::ranges::find_if(nodes_, [&](const auto& owned) { return owned.get() == &node; });
  if (found == nodes_.end()) throw run_error("node '{}' is not part of '{}'", node.name, name);
  return static_cast<size_t>(found - nodes_.begin());
}

Node& Graph::insert(size_t position, Node node) {
  for (int k = 0; k < node.outputs; ++k) claim(node.output(k));
  auto owned = std::make_unique<Node>(std::move(node));
  Node& result = *owned;
  node_index_.emplace(result.name, &result);
  nodes_.insert(nodes_.begin() + static_cast<std::ptrdiff_t>(position), std::move(owned));
  touch();
  return result;
}

Node& Graph::add(Node node) {
  return insert(nodes_.size(), std::move(node));
}
Node& Graph::insert_before(const Node& place, Node node) {
  return insert(position(place), std::move(node));
}
Node& Graph::insert_after(const Node& place, Node node) {
  return insert(position(place) + 1, std::move(node));
}

void Graph::erase(std::string_view name) {
  const Node& gone = node(name);
  for (int k = 0; k < gone.outputs; ++k) {
    const std::string value = gone.output(k);
    if (const auto readers = consumers(value); !readers.empty())
      throw run_error("cannot remove node '{}': node '{}' reads it", name, readers.front()->name);
    if (is_output(value)) throw run_error("cannot remove node '{}': it makes an output of the graph", name);
  }
  const size_t at = position(gone);
  node_index_.erase(node_index_.find(name));
  nodes_.erase(nodes_.begin() + static_cast<std::ptrdiff_t>(at));
  touch();
}

void Graph::replace_uses(std::string_view from, std::string_view to, std::string_view but) {
  const std::string old(from), now(to);  // the views may point into what is written here
  for (const auto& node : nodes_)
    if (node->name != but) std::ranges::replace(node->inputs, old, now);
  for (auto& output : outputs)
    if (output.value == old) output.value = now;
  touch();
}

void Graph::rename_node(std::string_view from, std::string to) {
  Node& renamed = node(from);
  if (renamed.name == to) return;
  claim(to);
  Node old = renamed;
  node_index_.erase(node_index_.find(old.name));
  renamed.name = std::move(to);
  node_index_.emplace(renamed.name, &renamed);
  for (int k = 0; k < old.outputs; ++k) replace_uses(old.output(k), renamed.output(k));
}

const Node* Graph::producer(std::string_view value) const {
  if (const Node* found = find_node(value)) return found;
  const size_t colon = value.rfind(':');
  if (colon == std::string_view::npos) return nullptr;
  int k = 0;
  const auto [end, error] = std::from_chars(value.data() + colon + 1, value.data() + value.size(), k);
  if (error != std::errc{} || end != value.data() + value.size()) return nullptr;
  const Node* found = find_node(value.substr(0, colon));
  return found && k > 0 && k < found->outputs ? found : nullptr;
}

Node* Graph::producer(std::string_view value) {
  return const_cast<Node*>(std::as_const(*this).producer(value));
}

std::vector<const Node*> Graph::consumers(std::string_view value) const {
  std::vector<const Node*> readers;
  for (const auto& node : nodes_)
    if (std::ranges::find(node->inputs, value) != node->inputs.end()) readers.push_back(node.get());
  return readers;
}

std::vector<Node*> Graph::consumers(std::string_view value) {
  std::vector<Node*> readers;
  for (const Node* reader : std::as_const(*this).consumers(value)) readers.push_back(const_cast<Node*>(reader));
  return readers;
}

bool Graph::is_output(std::string_view value) const {
  return std::ranges::find(outputs, value, &GraphOutput::value) != outputs.end();
}

bool Graph::is_input(std::string_view value) const {
  return std::ranges::find(inputs, value, &GraphInput::name) != inputs.end();
}

std::string Graph::unique_name(std::string_view base) const {
  std::string name(base);
  for (int k = 1; taken(name); ++k) name = std::string(base) + "_" + std::to_string(k);
  return name;
}

}  // namespace compress
