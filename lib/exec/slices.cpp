#include "exec/slices.h"

#include <ATen/core/Tensor.h>

#include <algorithm>

namespace compress::exec {

namespace {

constexpr int64_t kSmallest = 8;  // below, the fixed cost of a call shows
constexpr int64_t kLargest = 128;
constexpr int64_t kCacheBytes = int64_t{6} << 20;

/// Axis 0 is the batch and nothing else depends on it.
bool is_batched(const ops::ValueInfo& two, const ops::ValueInfo& three) {
  if (two.shape.empty() || two.shape[0] != 2 || three.shape.size() != two.shape.size() || three.shape[0] != 3)
    return false;
  return std::equal(two.shape.begin() + 1, two.shape.end(), three.shape.begin() + 1) && two.type == three.type;
}

/// Operators along axis 0 keep the shape but mix the samples.
bool names_batch_axis(const Node& node, int64_t rank) {
  const auto is_batch = [rank](int64_t axis) { return axis == 0 || axis == -rank; };
  for (const auto& [name, value] : node.attributes) {
    if (name == "axis" && std::holds_alternative<int64_t>(value) && is_batch(std::get<int64_t>(value))) return true;
    if (name == "axes" && std::holds_alternative<std::vector<int64_t>>(value) &&
        std::ranges::any_of(std::get<std::vector<int64_t>>(value), is_batch))
      return true;
  }
  return false;
}

/// Operators that take the first axis along when they name none, or count positions through the whole batch.
bool mixes_by_default(const Node& node, const std::function<bool(std::string_view)>& is_constant) {
  constexpr std::string_view kAlongFirstAxis[] = {"Gather", "GatherElements", "ScatterElements"};
  constexpr std::string_view kThroughAll[] = {"DynamicQuantizeLinear", "EyeLike",   "GatherND", "MaxUnpool",
                                              "NonMaxSuppression",     "ScatterND", "Trilu"};
  const auto among = [&](const auto& names) { return std::ranges::find(names, node.op) != std::end(names); };
  if (node.op == "MaxPool") return node.outputs > 1;
  if (node.op == "FakeQuantize") return node.attributes.text("method", "fixed") == "dynamic";
  if (node.op == "MeanVarianceNormalization") return !node.attributes.has("axes");
  if (among(kThroughAll)) return true;
  return among(kAlongFirstAxis) && !node.attributes.has("axis") && !is_constant(node.inputs[0]);
}

int64_t bytes_of_sample(const ops::ValueInfo& info) {
  int64_t bytes = static_cast<int64_t>(c10::elementSize(info.type));
  for (size_t i = 1; i < info.shape.size(); ++i) bytes *= info.shape[i];
  return bytes;
}

/// Memory for the whole batch in the layout of a slice.
at::Tensor allocate(const at::Tensor& slice, int64_t batch) {
  auto sizes = slice.sizes().vec();
  sizes[0] = batch;
  const bool batch_is_outermost =
      slice.is_non_overlapping_and_dense() && slice.stride(0) * slice.size(0) == slice.numel();
  return batch_is_outermost ? slice.new_empty_strided(sizes, slice.strides()) : slice.new_empty(sizes);
}

}  // namespace

int64_t
slice_size(const Graph& graph, const ops::Infos& infos, const std::function<bool(std::string_view)>& is_constant) {
  std::optional<ops::Infos> others;
  try {
    others = ops::infer(graph, 3);
  } catch (const Error&) {
    return 0;
  }
  const auto batched = [&](std::string_view value) {
    const auto *two = infos.find(value), *three = others->find(value);
    return two && three && is_batched(*two, *three);
  };
  for (const auto& input : graph.inputs)
    if (!batched(input.name)) return 0;
  for (const auto& output : graph.outputs)
    if (!batched(output.value)) return 0;
  int64_t largest = 1;
  for (const Node& node : graph.nodes()) {
    if (is_constant(node.output())) continue;
    if (mixes_by_default(node, is_constant)) return 0;
    int64_t bytes = 0;
    for (const auto& input : node.inputs) {
      if (input.empty() || is_constant(input)) continue;
      if (names_batch_axis(node, static_cast<int64_t>(infos.at(input).shape.size()))) return 0;
      bytes += bytes_of_sample(infos.at(input));
    }
    for (int k = 0; k < node.outputs; ++k) {
      if (!batched(node.output(k))) return 0;
      bytes += bytes_of_sample(infos.at(node.output(k)));
    }
    largest = std::max(largest, bytes);
  }
  return std::clamp(kCacheBytes / largest, kSmallest, kLargest);
}

Tensors run_in_slices(std::span<const at::Tensor> inputs,
                      int64_t slice,
                      const std::function<Tensors(std::span<const at::Tensor>)>& body) {
  const int64_t batch = slice > 0 && !inputs.empty() ? inputs[0].size(0) : 0;
  const bool whole =
      batch <= slice || !std::ranges::all_of(inputs, [batch](const auto& input) { return input.size(0) == batch; });
  if (slice == 0 || whole) return body(inputs);
  const int64_t count = (batch + slice - 1) / slice;
  Tensors joined;
  for (int64_t i = 0, from = 0; i < count; ++i) {
    const int64_t to = batch * (i + 1) / count;
    Tensors part;
    for (const auto& input : inputs) part.push_back(input.narrow(0, from, to - from));
    const auto values = body(part);
    for (size_t k = 0; k < values.size(); ++k) {
      if (i == 0) joined.push_back(allocate(values[k], batch));
      joined[k].narrow(0, from, to - from).copy_(values[k]);
    }
    from = to;
  }
  return joined;
}

}  // namespace compress::exec
