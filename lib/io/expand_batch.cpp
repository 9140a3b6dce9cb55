// See folding.h: constants that an exporter repeats along the batch (a class token, a learnt initial state).

#include "io/folding.h"
#include "ops/channels.h"

#include <algorithm>

namespace compress::io {
namespace {

/// The one axis along which both worlds repeat the same numbers as often as their batches are large.
std::optional<int64_t> repeated_axis(const Known& known, Batches batches) {
  std::optional<int64_t> axis;
  const auto &first = known.info[0].shape, &second = known.info[1].shape;
  if (first.size() != second.size()) return std::nullopt;
  for (size_t i = 0; i < first.size(); ++i) {
    if (first[i] == second[i]) continue;
    if (axis || first[i] != batches.first || second[i] != batches.second) return std::nullopt;
    axis = static_cast<int64_t>(i);
  }
  if (!axis) return std::nullopt;
  const auto one = known.value[0].narrow(*axis, 0, 1);
  const bool same = std::ranges::all_of(known.value, [&](const at::Tensor& x) { return x.equal(one.expand_as(x)); });
  return same ? axis : std::nullopt;
}

bool is_elementwise(const DraftNode& node) {
  const auto* op = ops::find_op(node.op);
  return op && op->channels == ops::elementwise_channels;
}

}  // namespace

void Folding::expand_batch(DraftNode& node, std::vector<Known>& inputs) {
  const auto batched = std::ranges::find_if(
      draft_.inputs, [](const GraphInput& input) { return !input.shape.empty() && input.shape[0] == kBatch; });
  if (batched == draft_.inputs.end()) return;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.has_input(i) || !inputs[i].is_known() || inputs[i].is_constant()) continue;
    const auto axis = repeated_axis(inputs[i], batches_);
    if (!axis) continue;
    const auto value = node.inputs[i];
    const auto one = inputs[i].value[0].narrow(*axis, 0, 1);
    const auto single = know_part(inputs[i], value + "%one", {one, one}, inputs[i].name);
    if (is_elementwise(node)) {  // broadcasting does the same
      auto narrow = inputs;
      narrow[i] = known_.at(single);
      auto changed = node;
      changed.inputs[i] = single;
      const auto* op = ops::find_op(node.op);
      if (infer(changed, *op, narrow)[0].info == infer(node, *op, inputs)[0].info) {
        node = std::move(changed);
        inputs = std::move(narrow);
        continue;
      }
    }
    node.inputs[i] = value + "%batch";
    if (!known_.contains(node.inputs[i])) {
      const auto origin = origins_.find(value);
      DraftNode expand{
          .op = "ExpandBatch", .domain = "compress", .inputs = {single, batched->name}, .outputs = {node.inputs[i]}};
      if (origin != origins_.end()) std::tie(expand.name, expand.scope) = origin->second;
      if (*axis != 0) expand.attributes.set("axis", *axis);
      const auto given = inputs_of(expand);
      keep(std::move(expand), given);
    }
    inputs[i] = known_.at(node.inputs[i]);
  }
}

}  // namespace compress::io
