#include "core/error.h"
#include "core/file.h"
#include "io/blame.h"
#include "io/draft.h"
#include "io/onnx.h"
#include "ops/op.h"

#include <algorithm>

namespace compress::io {
namespace {

int64_t normal_axis(int64_t axis, const Shape& shape) {
  return axis < 0 ? axis + static_cast<int64_t>(shape.size()) : axis;
}

/// True when the operator works along the first axis of an input that grows with the batch: samples would influence
/// each other.
bool mixes_samples(const Draft& draft, const DraftNode& node) {
  const auto shape = draft.shapes.find(node.inputs.empty() ? "" : node.inputs[0]);
  if (shape == draft.shapes.end()) return false;
  const auto& [first, second] = shape->second;
  if (first.empty() || first[0] == second[0]) return false;
  const auto& attributes = node.attributes;
  if (node.op == "ReduceMean" && !attributes.has("axes")) return true;
  if (node.op == "Transpose") return attributes.integers("perm", {1}).front() != 0;
  if (node.op == "MatMul") return !draft.constants.contains(node.inputs[1]) && first.size() == 2;
  auto axes = node.op == "Unsqueeze" || node.op == "Squeeze" ? Shape{} : attributes.integers("axes", {});
  if (attributes.has("axis") && node.op != "Flatten") axes.push_back(attributes.integer("axis", 1));
  return std::ranges::any_of(axes, [&](int64_t axis) { return normal_axis(axis, first) == 0; });
}

bool follows_batch(const Draft& draft, const std::string& value, Batches batches) {
  const auto& [first, second] = draft.shapes.at(value);
  return !first.empty() && first[0] == batches.first && second[0] == batches.second;
}

/// A file exported for one fixed batch, with the batch made free; none when the network truly needs that size.
std::optional<Draft> free_batch(const Draft& draft) {
  Draft free = draft;
  int64_t batch = 0;
  for (auto& input : free.inputs) {
    if (input.shape.empty() || (batch != 0 && input.shape[0] != batch)) return std::nullopt;
    batch = input.shape[0];
    input.shape[0] = kBatch;
  }
  const Batches batches;
  try {
    free = fold(free, batches, batch);
  } catch (const Error&) {
    return std::nullopt;
  }
  const bool separate = std::ranges::none_of(free.nodes, [&](const auto& node) { return mixes_samples(free, node); });
  const bool follow =
      std::ranges::all_of(free.output_values, [&](const auto& value) { return follows_batch(free, value, batches); });
  return separate && follow ? std::optional(std::move(free)) : std::nullopt;
}

Draft canonical(const Draft& draft) {
  const bool free = std::ranges::any_of(
      draft.inputs, [](const GraphInput& input) { return !input.shape.empty() && input.shape[0] == kBatch; });
  if (free) return fold(draft, {}, 0);
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

Graph import_canonical(std::string_view bytes, const std::string& name, const std::filesystem::path& folder) {
  auto draft = canonical(read_draft(bytes, name, folder));
  join_linear(draft);
  join_slices(draft);
  auto graph = build_graph(draft, Naming::canonical);
  normalize_nodes(graph);
  ops::verify(graph);
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
