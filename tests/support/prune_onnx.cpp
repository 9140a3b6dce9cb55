// prune_onnx MODEL MASKED THINNED: prunes half of the filters of all convolutions but the last of an ONNX file, as
// FilterRemover understands it, and writes the network masked and thinned. In a network without convolutions
// (sequences) half of the channels of every group that nothing blocks, and half of the heads.
#include "analysis/channel_role.h"
#include "analysis/cost.h"
#include "analysis/coupled_channels.h"
#include "io/onnx.h"
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

/// Half of the channels of every group: of attentions half of the heads, then half of the channels in each.
void prune_groups(Graph& graph, analysis::Heads heads) {
  const analysis::CoupledChannels channels(graph, heads);
  for (const auto& group : channels.groups()) {
    if (!group.blocked.empty()) continue;
    for (size_t m = 0; m < group.members.size(); ++m) {
      const auto& [name, axis] = group.members[m];
      const auto& parameter = graph.parameter(name);
      if (!parameter.trainable || !analysis::makes_channels(graph, parameter, axis)) continue;
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
    if (convolves) {
      prune_filters(graph);
    } else {
      prune_groups(graph, analysis::Heads::whole);
      prune_groups(graph, analysis::Heads::within);
    }
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
