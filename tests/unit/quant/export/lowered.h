#pragma once

#include "io/onnx.h"
#include "ops/quantization_grid.h"
#include "support/quantization.h"

#include <functional>

namespace compress::test {

/// A network prepared by PostTrainMinMaxQuantizer, calibrated on one batch of normal numbers; not finished.
inline Graph quantized_network(const std::string& text, const std::string& yaml = "{}") {
  auto graph = filled_graph(text);
  quantize(graph, "PostTrainMinMaxQuantizer", yaml, calibration_of({random_tensor({8, 3, 8, 8}, 9)}));
  return graph;
}

/// Puts a quantiser on another grid: a weight's over the weight, a value's over [low, high].
inline void put_on_grid(Graph& graph,
                        const std::string& name,
                        const ops::GridSpec& spec,
                        ops::GridAxes axes = {},
                        double low = -3,
                        double high = 3) {
  auto& node = graph.node(name);
  for (const auto* gone : {"axis", "input_axis", "group_size"}) node.attributes.erase(gone);
  ops::set_grid(node.attributes, spec);
  if (axes.axis >= 0) node.attributes.set("axis", axes.axis);
  if (axes.group_size > 0) {
    node.attributes.set("input_axis", axes.input_axis);
    node.attributes.set("group_size", axes.group_size);
  }
  const auto* weight = graph.find_parameter(node.inputs[0]);
  const auto one = [](double value) { return random_tensor({1}, 1).fill_(value).reshape({}); };
  const auto range = weight ? ops::value_range(weight->value, axes) : ops::ValueRange{one(low), one(high)};
  const auto grid = ops::make_grid(range.min, range.max, spec);
  graph.assign(node.inputs[1], grid.scale);
  graph.assign(node.inputs[2], grid.zero_point);
  graph.touch();
}

/// The quantisers of weights, or those of values.
inline std::vector<std::string> quantizers_of(const Graph& graph, bool weights) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) {
    if (node.op != "FakeQuantize") continue;
    const auto* parameter = graph.find_parameter(node.inputs[0]);
    if (weights ? parameter && parameter->value.dim() > 1 : parameter == nullptr) names.push_back(node.name);
  }
  return names;
}

/// Grids of 8 unsigned bits that each call finds anew, in place of those of values.
inline void make_dynamic(Graph& graph) {
  for (const auto& name : quantizers_of(graph, false)) {
    put_on_grid(graph, name, {.bits = 8, .is_signed = false, .narrow = false, .symmetric = false});
    graph.node(name).attributes.set("method", "dynamic");
  }
  graph.touch();
}

inline int nodes_of(const Graph& graph, const std::string& op) {
  int nodes = 0;
  for (const Node& node : graph.nodes()) nodes += node.op == op;
  return nodes;
}

/// Written as ONNX and read again.
inline Graph through_onnx(const Graph& graph, std::optional<int> opset = {}) {
  return io::import_onnx_bytes(io::export_onnx_bytes(graph, {.opset = opset}), "model.onnx");
}

}  // namespace compress::test
