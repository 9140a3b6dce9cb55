#include "io/draft.h"

#include <algorithm>

namespace compress::io {
namespace {

/// Axes of an exporter's slice that stand at the front of a chain x[:, :, ::2, ::2]: all four lists, axes counted from
/// the front.
struct Cut {
  std::vector<int64_t> starts, ends, axes, steps;
};

std::optional<Cut> read_cut(const DraftNode& node) {
  const auto& attributes = node.attributes;
  Cut cut{attributes.integers("starts", {}), attributes.integers("ends", {}), attributes.integers("axes", {}),
          attributes.integers("steps", {})};
  if (cut.steps.empty()) cut.steps.assign(cut.starts.size(), 1);
  const auto count = cut.starts.size();
  const bool plain = cut.ends.size() == count && cut.axes.size() == count && cut.steps.size() == count &&
                     std::ranges::all_of(cut.axes, [](int64_t axis) { return axis >= 0; });
  return plain ? std::optional(cut) : std::nullopt;
}

bool disjoint(const Cut& a, const Cut& b) {
  return std::ranges::none_of(a.axes, [&](int64_t axis) { return std::ranges::find(b.axes, axis) != b.axes.end(); });
}

void append(std::vector<int64_t>& to, const std::vector<int64_t>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

void join_slices(Draft& draft) {
  for (auto& node : draft.nodes) {
    if (node.op != "Slice") continue;
    const auto earlier = std::ranges::find_if(draft.nodes, [&](const DraftNode& other) {
      return other.op == "Slice" && !other.outputs.empty() && other.outputs[0] == node.inputs[0];
    });
    if (earlier == draft.nodes.end() || draft.readers(earlier->outputs[0]) != 1) continue;
    auto first = read_cut(*earlier);
    const auto second = read_cut(node);
    if (!first || !second || !disjoint(*first, *second)) continue;
    append(first->starts, second->starts);
    append(first->ends, second->ends);
    append(first->axes, second->axes);
    append(first->steps, second->steps);
    node.inputs[0] = earlier->inputs[0];
    node.attributes.set("starts", first->starts);
    node.attributes.set("ends", first->ends);
    node.attributes.set("axes", first->axes);
    if (std::ranges::any_of(first->steps, [](int64_t step) { return step != 1; }))
      node.attributes.set("steps", first->steps);
    earlier->outputs.clear();
    earlier->inputs.clear();
  }
  std::erase_if(draft.nodes, [](const DraftNode& node) { return node.outputs.empty(); });
}

}  // namespace compress::io
