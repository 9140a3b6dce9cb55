#include "io/free_batch.h"

#include "core/error.h"
#include "core/text.h"

#include <algorithm>
#include <numeric>

namespace compress::io {
namespace {

bool is_one_of(std::string_view op, std::initializer_list<std::string_view> ops) {
  return std::ranges::find(ops, op) != ops.end();
}

/// True when an attribute names the first axis, outright or by default.
bool works_along_batch(const DraftNode& node, int64_t rank) {
  const auto is_batch = [&](int64_t axis) { return axis == 0 || axis == -rank; };
  const auto& op = node.op;
  const auto& attributes = node.attributes;
  if (op.starts_with("Reduce")) {
    const auto axes = attributes.integers("axes", {});
    return axes.empty() ? attributes.integer("noop_with_empty_axes", 0) == 0 : std::ranges::any_of(axes, is_batch);
  }
  if (op == "Slice") {
    std::vector<int64_t> all(attributes.integers("starts", {}).size());
    std::iota(all.begin(), all.end(), 0);
    return std::ranges::any_of(attributes.integers("axes", all), is_batch);
  }
  if (is_one_of(op, {"Gather", "GatherElements", "ScatterElements", "Split", "ArgMax", "ArgMin", "CumSum", "Concat"}))
    return is_batch(attributes.integer("axis", 0));
  if (is_one_of(op, {"Softmax", "LogSoftmax", "Hardmax", "TopK", "LayerNormalization", "RMSNormalization"}))
    return is_batch(attributes.integer("axis", -1));
  return op == "Trilu" && rank == 2;
}

/// Padding and resizing of the first axis.
bool enlarges_batch(const DraftNode& node, size_t rank) {
  const auto& attributes = node.attributes;
  if (node.op == "Pad") {
    const auto pads = attributes.integers("pads", {});
    if (attributes.has("axes") || pads.size() != 2 * rank)
      return std::ranges::count(attributes.integers("axes", {}), 0) > 0;
    return pads[0] != 0 || pads[rank] != 0;
  }
  if (node.op == "Tile") return attributes.integers("repeats", {1}).front() != 1;
  return false;
}

/// Whether each operand's first letter is the result's first letter.
bool einsum_mixes(const DraftNode& node) {
  const auto equation = node.attributes.text("equation", "");
  const auto arrow = equation.find("->");
  if (arrow == std::string::npos || arrow + 2 >= equation.size()) return true;
  const std::string batch(trim(std::string_view(equation).substr(arrow + 2)).substr(0, 1));
  const auto terms = split(equation.substr(0, arrow), ',');
  return std::ranges::any_of(terms, [&](const auto& term) { return trim(term).substr(0, 1) != batch; });
}

class Mixing {
public:
  explicit Mixing(const Draft& draft) : draft_(draft) {}

  /// True when samples would influence each other.
  bool operator()(const DraftNode& node) const {
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (const auto* shape = growing(node.inputs[i]); shape && (moved(node.inputs[i]) || mixes(node, i, *shape)))
        return true;
    return std::ranges::any_of(node.outputs, [&](const auto& value) { return growing(value) && moved(value); });
  }

private:
  using Shapes = std::pair<Shape, Shape>;

  const Shape* growing(const std::string& value) const {
    const auto found = draft_.shapes.find(value);
    return found == draft_.shapes.end() || found->second.first == found->second.second ? nullptr : &found->second.first;
  }

  /// The batch is not the first axis.
  bool moved(const std::string& value) const {
    const auto& [first, second] = draft_.shapes.at(value);
    if (first.size() != second.size()) return true;
    return !std::equal(first.begin() + 1, first.end(), second.begin() + 1);
  }

  bool mixes(const DraftNode& node, size_t input, const Shape& shape) const {
    const auto rank = shape.size();
    const auto& op = node.op;
    // Recurrent layers run along the first axis; the others find positions or ranges over everything.
    if (is_one_of(op, {"LSTM", "GRU", "RNN", "GatherND", "ScatterND", "NonMaxSuppression", "MaxUnpool", "OneHot",
                       "DynamicQuantizeLinear", "EyeLike"}))
      return op != "GatherND" || node.attributes.integer("batch_dims", 0) == 0;
    if (op == "MatMul" || op == "MatMulInteger" || op == "QLinearMatMul") return rank < 2 || (input != 0 && rank == 2);
    if (op == "Gemm") return input == 1 || node.attributes.integer("transA", 0) != 0;
    if (op == "Einsum") return einsum_mixes(node);
    if (op == "Transpose") return node.attributes.integers("perm", {1}).front() != 0;
    if ((op == "MaxPool") && node.outputs.size() > 1) return true;
    return works_along_batch(node, static_cast<int64_t>(rank)) || enlarges_batch(node, rank);
  }

  const Draft& draft_;
};

bool follows_batch(const Draft& draft, const std::string& value, Batches batches) {
  const auto& [first, second] = draft.shapes.at(value);
  return !first.empty() && first[0] == batches.first && second[0] == batches.second;
}

}  // namespace

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
  const bool separate = std::ranges::none_of(free.nodes, Mixing(free));
  const bool follow =
      std::ranges::all_of(free.output_values, [&](const auto& value) { return follows_batch(free, value, batches); });
  return separate && follow ? std::optional(std::move(free)) : std::nullopt;
}

}  // namespace compress::io
