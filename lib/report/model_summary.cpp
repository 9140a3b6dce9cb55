#include "core/text.h"
#include "graph/scanner.h"
#include "graph/text_form.h"
#include "ops/op.h"
#include "report/summary.h"

#include <algorithm>

namespace compress::report {

namespace {

using nlohmann::json;

/// The sizes for a batch of 1 behind each node, as a comment, so that the text can still be read back.
std::string with_shapes(const std::string& text, const Graph& graph, const ops::Infos& infos) {
  std::vector<std::string> lines = split(text, '\n');
  const auto count = static_cast<std::ptrdiff_t>(graph.node_count());
  auto line = lines.end() - count - (lines.back().empty() ? 1 : 0);  // the nodes stand last, a line each
  for (const Node& node : graph.nodes()) {
    std::vector<std::string> shapes;
    for (int k = 0; k < node.outputs; ++k) shapes.push_back(shape_text(infos.at(node.output(k)).shape));
    *line++ += "  # " + join(shapes, ", ");
  }
  return join(lines, "\n");
}

json value_json(const std::string& name, const ops::Infos& infos) {
  const auto* info = infos.find(name);
  return {{"name", name}, {"shape", info ? json(info->shape) : json()}};
}

json node_json(const Graph& graph, const Node& node, const ops::Infos& infos) {
  auto inputs = json::array(), parameters = json::array(), outputs = json::array();
  auto attributes = json::object();
  for (const auto& input : node.inputs)
    if (!input.empty()) (graph.find_parameter(input) ? parameters : inputs).push_back(input);
  for (int k = 0; k < node.outputs; ++k) outputs.push_back(value_json(node.output(k), infos));
  for (const auto& [name, value] : node.attributes)
    attributes[name] = std::visit([](const auto& held) { return json(held); }, value);
  return {{"name", node.name},        {"type", node.op},    {"inputs", inputs},
          {"parameters", parameters}, {"outputs", outputs}, {"attributes", attributes}};
}

json parameter_json(const Parameter& parameter) {
  return {{"name", parameter.name},
          {"shape", parameter.value.sizes().vec()},
          {"type", type_name(parameter.value.scalar_type())},
          {"trainable", parameter.trainable},
          {"masked", parameter.mask.defined()}};
}

/// Distiller's attributes table; Shape is that of the first output.
Sheet connections(const Graph& graph, const ops::Infos& infos) {
  Sheet sheet({{"Name"},
               {.name = "Type", .compared = Compared::by_people},
               {.name = "Inputs", .compared = Compared::by_people},
               {"Outputs"},
               {.name = "Shape", .compared = Compared::by_people},
               {"Parameters"}});
  for (const Node& node : graph.nodes()) {
    std::vector<std::string> inputs, parameters, outputs;
    for (const auto& input : node.inputs)
      if (!input.empty()) (graph.find_parameter(input) ? parameters : inputs).push_back(input);
    for (int k = 0; k < node.outputs; ++k) outputs.push_back(node.output(k));
    sheet.row({node.name, node.op, inputs, outputs, shape_text(infos.at(node.name).shape), parameters});
  }
  return sheet;
}

SummaryForms make_model(const SummaryRequest& request) {
  const auto& graph = request.graph;
  const auto infos = ops::infer(graph, 1);
  json inputs = json::array(), outputs = json::array(), nodes = json::array(), parameters = json::array();
  for (const auto& input : graph.inputs) inputs.push_back(value_json(input.name, infos));
  for (const auto& output : graph.outputs) {
    outputs.push_back(value_json(output.value, infos));
    outputs.back()["name"] = output.name;
  }
  for (const Node& node : graph.nodes()) nodes.push_back(node_json(graph, node, infos));
  for (const Parameter& parameter : graph.parameters()) parameters.push_back(parameter_json(parameter));
  return {.text = with_shapes(print_graph(graph), graph, infos),
          .json = {{"name", graph.name},
                   {"inputs", inputs},
                   {"outputs", outputs},
                   {"metadata", graph.metadata},
                   {"parameters", parameters},
                   {"nodes", nodes}},
          .sheet = connections(graph, infos)};
}

}  // namespace

extern const Summary model_summary;
const Summary model_summary{.name = "model",
                            .doc = "the network in text form: parameters, nodes, attributes and shapes",
                            .files = {".txt", ".csv", ".json"},
                            .make = make_model};

}  // namespace compress::report
