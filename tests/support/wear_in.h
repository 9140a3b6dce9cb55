#pragma once

#include "core/random.h"
#include "exec/plan.h"
#include "graph/graph.h"
#include "support/random_graph.h"

namespace compress::test {

/// Batch-norm as after training: random factors and shifts, and the statistics of a batch that went through the
/// network. Branches of residual networks count for less than their shortcuts, as they learn to; with equal weight
/// fifty blocks of random weights would enlarge every rounding error beyond what comparisons can bear.
inline void wear_in(Graph& graph) {
  Random random(1, "wear in");
  graph.own_storage();
  std::vector<std::pair<Node*, Attributes>> norms;
  for (auto& node : graph.nodes()) {
    if (node.op != "BatchNormalization") continue;
    const auto readers = graph.consumers(node.name);
    const bool branch =
        readers.size() == 1 && readers[0]->op == "Add" && node.name.find("downsample") == std::string::npos;
    const double scale = branch ? 0.2 : 1;
    for (const size_t input : {1, 2}) {
      auto& tensor = graph.writable(node.inputs[input]);
      auto* data = tensor.data_ptr<float>();
      for (int64_t i = 0; i < tensor.numel(); ++i)
        data[i] = static_cast<float>(scale * (input == 1 ? random.uniform(0.5, 1.5) : random.uniform(-0.3, 0.3)));
    }
    norms.emplace_back(&node, node.attributes);
    node.attributes.set("momentum", 0.0);  // ONNX's: the share of the old statistics
  }
  if (norms.empty()) return;
  graph.touch();
  const auto x = random_input(graph, 8, 1);
  exec::Plan(graph, {.mode = exec::Mode::train}).run({&x, 1});
  for (auto& [node, attributes] : norms) node->attributes = attributes;
  graph.touch();
}

}  // namespace compress::test
