#include "core/text.h"
#include "graph/scanner.h"
#include "graph/text_form.h"

#include <cmath>

namespace compress {

namespace {

std::string quote(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result + '"';
}

std::string name_text(std::string_view name) {
  return is_bare_name(name) ? std::string(name) : quote(name);
}

std::string tensor_text(at::ScalarType type, std::span<const int64_t> sizes) {
  std::vector<std::string> words;
  for (const int64_t size : sizes) words.push_back(size == kBatch ? "N" : std::to_string(size));
  return fmt::format("{}[{}]", type_name(type), join(words, ","));
}

std::string item_text(int64_t value) {
  return std::to_string(value);
}
std::string item_text(const std::string& value) {
  return quote(value);
}
/// A number that reads back as a number, not as an integer.
std::string item_text(double value) {
  std::string text = fmt::format("{}", value);
  return std::isfinite(value) && text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

template <class T>
std::string item_text(const std::vector<T>& values) {
  if (values.empty()) return std::is_same_v<T, int64_t> ? "[]" : std::is_same_v<T, double> ? "[]:numbers" : "[]:texts";
  std::vector<std::string> words;
  for (const auto& value : values) words.push_back(item_text(value));
  return "[" + join(words, ",") + "]";
}

std::string input_text(const Graph& graph, const std::string& input) {
  if (input.empty()) return "_";
  return (graph.find_parameter(input) ? "%" : "") + name_text(input);
}

std::string header_text(const Graph& graph) {
  std::vector<std::string> inputs, outputs;
  for (const auto& input : graph.inputs)
    inputs.push_back(name_text(input.name) + ": " + tensor_text(input.type, input.shape));
  for (const auto& output : graph.outputs)
    outputs.push_back(output.name == output.value ? name_text(output.name)
                                                  : name_text(output.name) + " = " + input_text(graph, output.value));
  return fmt::format("graph {}({}) -> ({})\n", name_text(graph.name), join(inputs, ", "), join(outputs, ", "));
}

std::string parameter_text(const Parameter& parameter) {
  return fmt::format("parameter {}: {}{}{}\n", name_text(parameter.name),
                     tensor_text(parameter.value.scalar_type(), parameter.value.sizes()),
                     parameter.trainable ? "" : " fixed", parameter.mask.defined() ? " masked" : "");
}

std::string node_text(const Graph& graph, const Node& node) {
  std::vector<std::string> outputs, inputs;
  for (int k = 0; k < node.outputs; ++k) outputs.push_back(name_text(node.output(k)));
  for (const auto& input : node.inputs) inputs.push_back(input_text(graph, input));
  std::string text = fmt::format("{} = {}({})", join(outputs, ", "), name_text(node.op), join(inputs, ", "));
  for (const auto& [name, value] : node.attributes)
    text += " " + name_text(name) + "=" + std::visit([](const auto& held) { return item_text(held); }, value);
  return text + "\n";
}

}  // namespace

std::string print_graph(const Graph& graph) {
  std::string text = header_text(graph);
  for (const auto& [key, value] : graph.metadata)
    text += fmt::format("metadata {} = {}\n", name_text(key), quote(value));
  for (const Parameter& parameter : graph.parameters()) text += parameter_text(parameter);
  for (const Node& node : graph.nodes()) text += node_text(graph, node);
  return text;
}

}  // namespace compress
