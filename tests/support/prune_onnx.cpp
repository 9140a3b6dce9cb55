// prune_onnx MODEL MASKED THINNED: prunes half of the filters of all convolutions but the last of an ONNX file, as
// FilterRemover understands it, and writes the network masked and thinned.
#include "analysis/cost.h"
#include "io/onnx.h"
#include "passes/drop_batchnorm.h"
#include "passes/pass.h"
#include "prune/pruner.h"

#include <ATen/core/Tensor.h>

#include <cstdio>

using namespace compress;

namespace {

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
    prune_filters(graph);
    io::export_onnx(graph, argv[2]);
    const auto before = analysis::cost(graph).macs;
    passes::run(*passes::passes().make("thin"), "thin", graph);
    io::export_onnx(graph, argv[3]);
    std::printf("{\"macs\": [%lld, %lld]}\n", static_cast<long long>(before),
                static_cast<long long>(analysis::cost(graph).macs));
  } catch (...) {
    std::fprintf(stderr, "%s\n", current_error().render().c_str());
    return 1;
  }
}
