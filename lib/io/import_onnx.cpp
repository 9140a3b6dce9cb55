#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "io/blame.h"
#include "io/draft.h"
#include "io/free_batch.h"
#include "io/onnx.h"
#include "ops/op.h"

#include <algorithm>

namespace compress::io {
namespace {

Draft canonical(const Draft& draft) {
  const bool free = std::ranges::any_of(
      draft.inputs, [](const GraphInput& input) { return !input.shape.empty() && input.shape[0] == kBatch; });
  if (free) return fold(draft, {}, 0);
  // In a file of ours a fixed batch is meant so.
  if (!draft.own)
    if (auto freed = free_batch(draft)) return std::move(*freed);
  return fold(draft, {1, 1}, 0);
}

void normalize_nodes(Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.name);
  for (const auto& name : names) {
    auto* node = graph.find_node(name);
    if (!node) continue;  // an earlier one took it in
    if (const auto normalize = ops::op_of(*node).normalize)
      within("importing " + ops::describe(*node), [&] { normalize(graph, *node); });
  }
  graph.erase_unused_parameters();
  graph.sort();
}

/// Such a model can be looked at and pruned, but computes nothing of use.
void warn_of_nan(const Graph& graph, const std::string& name) {
  std::vector<std::string> damaged;
  for (const auto& parameter : graph.parameters())
    if (parameter.value.is_floating_point() && parameter.value.isnan().any().item<bool>())
      damaged.push_back(parameter.name);
  if (!damaged.empty())
    log::warning("[import] {}: {} of {} parameters hold NaN, '{}' first", name, damaged.size(),
                 std::ranges::distance(graph.parameters()), damaged.front());
}

Graph import_canonical(std::string_view bytes, const std::string& name, const std::filesystem::path& folder) {
  auto draft = canonical(read_draft(bytes, name, folder));
  join_stacks(draft);
  join_linear(draft);
  join_slices(draft);
  auto graph = build_graph(draft, Naming::canonical);
  normalize_nodes(graph);
  ops::verify(graph);
  warn_of_nan(graph, name);
  return graph;
}

}  // namespace

Graph import_onnx(const std::filesystem::path& path) {
  const auto bytes = read_file(path);
  return blame_file(path.string(), [&] { return import_canonical(bytes, path.string(), folder_of(path)); });
}

Graph import_onnx_bytes(std::string_view bytes, const std::string& name) {
  return blame_file(name, [&] { return import_canonical(bytes, name, {}); });
}

}  // namespace compress::io
