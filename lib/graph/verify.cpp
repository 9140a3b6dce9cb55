#include "graph/verify.h"

#include "core/text.h"

#include <set>

namespace compress {

namespace {

using Known = std::set<std::string, std::less<>>;

void define(Known& known, const std::string& name, std::string_view what) {
  if (name.empty()) throw request_error("{} has an empty name", what);
  if (!known.insert(name).second) throw request_error("the name '{}' is defined twice", name);
}

void check_inputs(const Graph& graph, const Node& node, const Known& known) {
  for (const auto& input : node.inputs) {
    if (input.empty() || known.contains(input)) continue;
    if (graph.producer(input))
      throw request_error("node '{}' reads '{}' before it is made", node.name, input)
          .hint("the nodes are not in topological order");
    throw request_error("node '{}' reads '{}', which nothing makes", node.name, input)
        .hint(did_you_mean(input, std::vector<std::string>(known.begin(), known.end())));
  }
}

void check_parameter(const Parameter& parameter) {
  if (!parameter.value.defined()) throw request_error("parameter '{}' has no tensor", parameter.name);
  if (parameter.mask.defined() && parameter.mask.sizes() != parameter.value.sizes())
    throw request_error("the mask of parameter '{}' is {}, the parameter {}", parameter.name,
                        shape_text(parameter.mask.sizes()), shape_text(parameter.value.sizes()));
}

}  // namespace

void verify_structure(const Graph& graph) {
  Known known;
  for (const auto& input : graph.inputs) define(known, input.name, "an input");
  for (const Parameter& parameter : graph.parameters()) {
    define(known, parameter.name, "a parameter");
    check_parameter(parameter);
  }
  for (const Node& node : graph.nodes()) {
    check_inputs(graph, node, known);
    if (node.outputs < 1) throw request_error("node '{}' makes nothing", node.name);
    if (graph.find_node(node.name) != &node)
      throw request_error("node '{}' was renamed without rename_node", node.name);
    for (int k = 0; k < node.outputs; ++k) define(known, node.output(k), "a node");
  }
  Known names;
  for (const auto& output : graph.outputs) {
    define(names, output.name, "an output");
    if (!known.contains(output.value))
      throw request_error("output '{}' is '{}', which nothing makes", output.name, output.value);
  }
}

}  // namespace compress
