#include "core/text.h"
#include "graph/scanner.h"
#include "graph/text_form.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

namespace compress {

namespace {

class GraphParser {
public:
  GraphParser(std::string_view text, const std::string& file) : scanner_(text, file) {}

  Graph parse() {
    if (!scanner_.next_line()) throw scanner_.error("expected 'graph NAME(INPUTS) -> (OUTPUTS)', found nothing");
    header();
    while (scanner_.next_line()) line();
    for (const auto& output : graph_.outputs)
      if (!known(output.value)) throw unknown(output.value, "output '" + output.name + "' is");
    return std::move(graph_);
  }

private:
  void header() {
    if (scanner_.name("'graph'") != "graph")
      throw scanner_.error("the text of a graph begins with 'graph NAME(INPUTS) -> (OUTPUTS)'");
    graph_.name = scanner_.name("the graph's name");
    scanner_.expect('(');
    while (!scanner_.accept(')')) {
      const std::string name = scanner_.name("an input's name");
      if (graph_.is_input(name)) throw scanner_.error(fmt::format("input '{}' is defined twice", name));
      scanner_.expect(':');
      const at::ScalarType type = scanner_.type();
      graph_.inputs.push_back({.name = name, .shape = scanner_.shape(), .type = type});
      if (scanner_.peek() != ')') scanner_.expect(',');
    }
    scanner_.expect('-');
    scanner_.expect('>');
    scanner_.expect('(');
    while (!scanner_.accept(')')) {
      const std::string name = scanner_.name("an output's name");
      std::string value = name;
      if (scanner_.accept('=')) {
        scanner_.accept('%');
        value = scanner_.name("the output's value");
      }
      graph_.outputs.push_back({.name = name, .value = std::move(value)});
      if (scanner_.peek() != ')') scanner_.expect(',');
    }
    scanner_.end_line();
  }

  void line() {
    const std::string first = scanner_.name("'parameter', 'metadata' or 'NAME = OPERATOR(INPUTS)'");
    const char sign = scanner_.peek();
    if (first == "parameter" && sign != '=' && sign != ',') return parameter();
    if (first == "metadata" && sign != '=' && sign != ',') return metadata();
    node(first);
  }

  void metadata() {
    const std::string key = scanner_.name("a key");
    scanner_.expect('=');
    graph_.metadata[key] = scanner_.quoted();
    scanner_.end_line();
  }

  void parameter() {
    Parameter parameter{.name = scanner_.name("the parameter's name")};
    refuse_taken(parameter.name);
    scanner_.expect(':');
    const at::ScalarType type = scanner_.type();
    const Shape shape = scanner_.shape();
    for (const int64_t size : shape)
      if (size == kBatch)
        throw scanner_.error(fmt::format("parameter '{}' cannot have the batch as a size", parameter.name));
    parameter.value = at::zeros(shape, type);
    while (!scanner_.at_line_end()) {
      const std::string word = scanner_.name("'fixed' or 'masked'");
      if (word == "fixed")
        parameter.trainable = false;
      else if (word == "masked")
        parameter.mask = at::ones(shape, type);
      else
        throw scanner_.error(fmt::format("a parameter is 'fixed' or 'masked', not '{}'", word));
    }
    graph_.add_parameter(std::move(parameter));
  }

  void node(const std::string& name) {
    Node node{.name = name};
    refuse_taken(name);
    while (scanner_.accept(',')) {
      const std::string output = scanner_.name("an output");
      if (output != node.output(node.outputs))
        throw scanner_.error(fmt::format("output {} of '{}' is written '{}', not '{}'", node.outputs, name,
                                         node.output(node.outputs), output));
      ++node.outputs;
    }
    scanner_.expect('=');
    node.op = scanner_.name("an operator");
    scanner_.expect('(');
    while (!scanner_.accept(')')) {
      node.inputs.push_back(input(name));
      if (scanner_.peek() != ')') scanner_.expect(',');
    }
    node.attributes = scanner_.attributes();
    graph_.add(std::move(node));
  }

  std::string input(const std::string& node) {
    const bool parameter = scanner_.accept('%');
    const bool bare = scanner_.peek() != '"';
    std::string name = scanner_.name("a value, '%' and a parameter, or '_'");
    if (!parameter && bare && name == "_") return "";
    if (parameter && !graph_.find_parameter(name))
      throw scanner_.error(fmt::format("node '{}' reads the unknown parameter '{}'", node, name))
          .hint(did_you_mean(name, graph_.parameter_names()));
    if (!parameter && !known(name)) throw unknown(name, "node '" + node + "' reads");
    return name;
  }

  bool known(const std::string& value) const {
    return graph_.is_input(value) || graph_.producer(value) || graph_.find_parameter(value);
  }

  Error unknown(const std::string& value, const std::string& who) const {
    std::vector<std::string> names;
    for (const auto& input : graph_.inputs) names.push_back(input.name);
    for (const Node& node : graph_.nodes()) names.push_back(node.name);
    return scanner_.error(fmt::format("{} '{}', which no line above makes", who, value))
        .hint(did_you_mean(value, names));
  }

  void refuse_taken(const std::string& name) const {
    if (known(name)) throw scanner_.error(fmt::format("the name '{}' is defined twice", name));
  }

  Scanner scanner_;
  Graph graph_;
};

}  // namespace

Graph parse_graph(std::string_view text, const std::string& file) {
  return GraphParser(text, file).parse();
}

}  // namespace compress
