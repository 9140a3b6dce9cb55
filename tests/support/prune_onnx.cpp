// prune_onnx MODEL MASKED THINNED: prunes half of the filters of all convolutions but the last of an ONNX file, as
// FilterRemover understands it, and writes the network masked and thinned. In a network without convolutions
// (sequences) half of the channels of every group that nothing blocks.
#include "analysis/cost.h"
#include "analysis/coupled_channels.h"
#include "io/onnx.h"
#include "ops/op.h"
#include "ops/recurrent_layer.h"
#include "passes/drop_batchnorm.h"
#include "passes/pass.h"
#include "prune/pruner.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdio>

using namespace compress;

namespace {

constexpr int kOpset = 21;  // the newer exporter writes operators of opset 20

Yaml arguments(const Graph& graph) {
  std::vector<Yaml> weights;
  for (const auto& node : graph.nodes())
    if (node.op == "Conv") weights.push_back(Yaml::scalar(node.inputs[1], true));
  if (weights.size() > 1) weights.pop_back();
  auto map = Yaml::map();
  map.set("group_type", Yaml::scalar("Filters"));
  map.set("desired_sparsity", Yaml::scalar("0.5"));
  map.set("weights", Yaml::sequence(weights));
  return map;
}

/// The axis of a parameter along which it makes channels: a weight's outputs, a recurrent layer's rows, the columns of
/// a table; what only reads channels keeps its numbers.
bool makes_channels(const Graph& graph, const Parameter& parameter, int axis) {
  if (parameter.value.dim() == 1) return true;
  return std::ranges::any_of(graph.consumers(parameter.name), [&](const Node* node) {
    const auto& op = ops::op_of(*node);
    const auto input = std::ranges::find(node->inputs, parameter.name) - node->inputs.begin();
    if (ops::recurrent_gates(*node) > 0) return axis == 0;
    if (op.weight_input == input && op.weight_axis) return op.weight_axis(*node) == axis;
    return input == 0 && (node->op == "Gather" || node->op == "ExpandBatch");
  });
}

void prune_groups(Graph& graph) {
  const analysis::CoupledChannels channels(graph);
  for (const auto& group : channels.groups()) {
    if (!group.blocked.empty()) continue;
    for (size_t m = 0; m < group.members.size(); ++m) {
      const auto& [name, axis] = group.members[m];
      const auto& parameter = graph.parameter(name);
      if (!parameter.trainable || !makes_channels(graph, parameter, axis)) continue;
      auto value = graph.writable(name);
      for (size_t c = 0; c < group.channels.size() / 2; ++c)
        for (const auto index : group.channels[c].indices[m]) value.select(axis, index).zero_();
    }
  }
}

void prune_filters(Graph& graph) {
  const auto pruner = prune::pruners().make("L1RankedStructureParameterPruner");
  Settings settings;
  pruner->declare(settings);
  settings.read(arguments(graph), "pruner");
  Problems problems;
  pruner->bind(graph, problems);
  problems.raise();
  pruner->set_masks(graph, {});
  for (const auto& parameter : graph.parameters()) prune::apply_mask(graph, parameter);
  passes::drop_batchnorm_of_zero_filters(graph);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  try {
    auto graph = io::import_onnx(argv[1]);
    const bool convolves = std::ranges::any_of(graph.nodes(), [](const Node& node) { return node.op == "Conv"; });
    convolves ? prune_filters(graph) : prune_groups(graph);
    io::export_onnx(graph, argv[2], {.opset = kOpset});
    const auto before = analysis::cost(graph).macs;
    passes::run(*passes::passes().make("thin"), "thin", graph);
    io::export_onnx(graph, argv[3], {.opset = kOpset});
    std::printf("{\"macs\": [%lld, %lld]}\n", static_cast<long long>(before),
                static_cast<long long>(analysis::cost(graph).macs));
  } catch (...) {
    std::fprintf(stderr, "%s\n", current_error().render().c_str());
    return 1;
  }
}
