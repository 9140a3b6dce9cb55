#include "graph/match.h"

#include "graph/scanner.h"

#include <algorithm>
#include <set>

namespace compress {

// Not in the unnamed namespace below, since Pattern::Impl holds them.
struct PatternInput {
  enum class Kind { node, parameter, any, absent };
  Kind kind = Kind::any;
  std::string name;
  bool optional = false;
};

struct PatternNode {
  std::string name;
  std::vector<std::string> ops;
  std::vector<PatternInput> inputs;
  Attributes attributes;
};

namespace {

PatternInput parse_input(Scanner& scanner, const std::vector<PatternNode>& above) {
  PatternInput input;
  if (scanner.accept('$'))
    input.kind = PatternInput::Kind::any;
  else if (scanner.accept('%'))
    input.kind = PatternInput::Kind::parameter;
  else
    input.kind = PatternInput::Kind::node;
  input.name = scanner.name("a node of the pattern, '$name' or '%parameter'");
  input.optional = scanner.accept('?');
  if (input.kind != PatternInput::Kind::node) return input;
  if (input.name == "_")
    input.kind = PatternInput::Kind::absent;
  else if (std::ranges::find(above, input.name, &PatternNode::name) == above.end())
    throw scanner.error(fmt::format("the pattern's node '{}' stands on no line above", input.name));
  return input;
}

PatternNode parse_node(Scanner& scanner, const std::vector<PatternNode>& above) {
  PatternNode node{.name = scanner.name("a node's name")};
  scanner.expect('=');
  do node.ops.push_back(scanner.name("an operator"));
  while (scanner.accept('|'));
  scanner.expect('(');
  while (!scanner.accept(')')) {
    node.inputs.push_back(parse_input(scanner, above));
    if (scanner.peek() != ')') scanner.expect(',');
  }
  node.attributes = scanner.attributes();
  return node;
}

/// One try to lay the pattern over the graph with a given node as its root.
class Attempt {
public:
  Attempt(Graph& graph, const std::vector<PatternNode>& pattern, Pattern::Match& match)
      : graph_(graph), pattern_(pattern), match_(match) {}

  bool node(const PatternNode& wanted, Node& node) {
    if (std::ranges::find(wanted.ops, node.op) == wanted.ops.end() || node.inputs.size() > wanted.inputs.size())
      return false;
    for (const auto& [name, value] : wanted.attributes) {
      const Attribute* held = node.attributes.find(name);
      if (!held || *held != value) return false;
    }
    const auto [earlier, fresh] = match_.nodes.emplace(wanted.name, &node);
    if (!fresh) return earlier->second == &node;
    for (size_t i = 0; i < wanted.inputs.size(); ++i)
      if (!input(wanted.inputs[i], i < node.inputs.size() ? node.inputs[i] : std::string())) return false;
    return true;
  }

private:
  bool input(const PatternInput& wanted, const std::string& value) {
    using Kind = PatternInput::Kind;
    if (wanted.kind == Kind::absent) return value.empty();
    if (value.empty()) return wanted.optional && wanted.kind != Kind::node && capture(wanted.name, value);
    if (wanted.kind == Kind::any) return capture(wanted.name, value);
    if (wanted.kind == Kind::parameter) return graph_.find_parameter(value) && capture(wanted.name, value);
    Node* producer = graph_.producer(value);
    if (!producer || producer->name != value) return false;
    return node(*std::ranges::find(pattern_, wanted.name, &PatternNode::name), *producer);
  }

  bool capture(const std::string& name, const std::string& value) {
    const auto [earlier, fresh] = match_.values.emplace(name, value);
    return fresh || earlier->second == value;
  }

  Graph& graph_;
  const std::vector<PatternNode>& pattern_;
  Pattern::Match& match_;
};

/// Inner values may be read inside the match only, since a rewrite takes them away.
bool is_private(const Graph& graph, const Pattern::Match& match, const Node& root) {
  std::set<const Node*> inside;
  for (const auto& [name, node] : match.nodes) inside.insert(node);
  return std::ranges::all_of(inside, [&](const Node* node) {
    if (node == &root) return true;
    for (int k = 0; k < node->outputs; ++k) {
      if (graph.is_output(node->output(k))) return false;
      for (const Node* reader : graph.consumers(node->output(k)))
        if (!inside.contains(reader)) return false;
    }
    return true;
  });
}

}  // namespace

struct Pattern::Impl {
  std::vector<PatternNode> nodes;
};

Pattern::Pattern(std::string_view text) : impl_(std::make_unique<Impl>()) {
  Scanner scanner(text, "<pattern>");
  while (scanner.next_line()) impl_->nodes.push_back(parse_node(scanner, impl_->nodes));
  if (impl_->nodes.empty()) throw scanner.error("the pattern is empty");
}

Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;

std::vector<Pattern::Match> Pattern::find(Graph& graph) const {
  std::vector<Match> matches;
  std::set<const Node*> used;
  for (Node& root : graph.nodes()) {
    Match match;
    if (!Attempt(graph, impl_->nodes, match).node(impl_->nodes.back(), root) || !is_private(graph, match, root))
      continue;
    if (std::ranges::any_of(match.nodes, [&](const auto& entry) { return used.contains(entry.second); })) continue;
    for (const auto& [name, node] : match.nodes) used.insert(node);
    matches.push_back(std::move(match));
  }
  return matches;
}

}  // namespace compress
