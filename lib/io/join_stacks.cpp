// Values that are put side by side along a new axis and taken apart again, or seen as one along another axis: what
// recurrent layers of two directions and the export of states leave behind.

#include "io/draft.h"
#include "ops/recurrent_layer.h"

#include <algorithm>
#include <optional>
#include <ranges>

namespace compress::io {
namespace {

/// A value that consists of others along an axis that they do not have.
struct Stack {
  std::vector<std::string> parts;
  int64_t axis = 0;
};

class StackJoiner {
public:
  explicit StackJoiner(Draft& draft) : draft_(draft) {}

  void run() {
    for (auto& node : draft_.nodes) {
      for (auto& input : node.inputs) input = resolve(input);
      if (node.domain.empty() && node.outputs.size() == 1) visit(node);
    }
    for (auto& value : draft_.output_values) value = resolve(value);
    if (changed_) drop_unread();
    drop_unread_states();
  }

private:
  const std::string& resolve(const std::string& value) const {
    const auto found = alias_.find(value);
    return found == alias_.end() ? value : found->second;
  }

  const Shape* shape_of(const std::string& value) const {
    const auto shape = draft_.shapes.find(value);
    return shape == draft_.shapes.end() ? nullptr : &shape->second.first;
  }

  const Stack* stack_of(const DraftNode& node) const {
    const auto found = node.inputs.empty() ? stacks_.end() : stacks_.find(node.inputs[0]);
    return found == stacks_.end() ? nullptr : &found->second;
  }

  int64_t rank_of_input(const DraftNode& node) const {
    const auto* shape = node.inputs.empty() ? nullptr : shape_of(node.inputs[0]);
    return shape ? std::ssize(*shape) : -1;
  }

  /// The one axis that a list names, counted from the front; none otherwise.
  static std::optional<int64_t> only_axis(const DraftNode& node, const char* attribute, int64_t rank) {
    const auto axes = node.attributes.integers(attribute, {});
    if (axes.size() != 1 || rank < 0) return std::nullopt;
    return axes[0] < 0 ? axes[0] + rank : axes[0];
  }

  void visit(DraftNode& node) {
    if (node.op == "Unsqueeze") return remember_unsqueeze(node);
    if (node.op == "Concat") return remember_concat(node);
    const auto* stack = stack_of(node);
    if (!stack) return;
    if (node.op == "Squeeze") {
      if (only_axis(node, "axes", rank_of_input(node)) == stack->axis) become(node, stack->parts[0]);
    } else if (node.op == "Gather") {
      take_part(node, *stack);
    } else if (node.op == "Slice") {
      take_range(node, *stack);
    } else if (node.op == "Transpose") {
      remember_transposed(node, *stack);
    } else if (node.op == "Reshape" || node.op == "Flatten") {
      join_parts(node, *stack);
    }
  }

  void become(const DraftNode& node, const std::string& value) {
    alias_[node.outputs[0]] = value;
    changed_ = true;
  }

  void remember_unsqueeze(const DraftNode& node) {
    const auto rank = rank_of_input(node);
    if (const auto axis = only_axis(node, "axes", rank + 1); rank >= 0 && axis)
      stacks_[node.outputs[0]] = {{node.inputs[0]}, *axis};
  }

  void remember_concat(const DraftNode& node) {
    Stack joined;
    for (const auto& input : node.inputs) {
      const auto found = stacks_.find(input);
      if (found == stacks_.end()) return;
      const auto* shape = shape_of(input);
      const auto axis = node.attributes.integer("axis", 0);
      if (!shape || (axis < 0 ? axis + std::ssize(*shape) : axis) != found->second.axis) return;
      joined.axis = found->second.axis;
      joined.parts.insert(joined.parts.end(), found->second.parts.begin(), found->second.parts.end());
    }
    stacks_[node.outputs[0]] = std::move(joined);
  }

  /// One index of the stack's axis, as a number.
  void take_part(const DraftNode& node, const Stack& stack) {
    const auto index = draft_.constants.find(node.inputs.size() > 1 ? node.inputs[1] : "");
    auto axis = node.attributes.integer("axis", 0);
    if (axis < 0) axis += rank_of_input(node);
    if (index == draft_.constants.end() || index->second.value.dim() != 0 || axis != stack.axis) return;
    auto k = index->second.value.item<int64_t>();
    if (k < 0) k += std::ssize(stack.parts);
    if (k >= 0 && k < std::ssize(stack.parts)) become(node, stack.parts[static_cast<size_t>(k)]);
  }

  /// Some parts in order, still on an axis of their own.
  void take_range(DraftNode& node, const Stack& stack) {
    const auto starts = node.attributes.integers("starts", {}), ends = node.attributes.integers("ends", {});
    const auto axis = only_axis(node, "axes", rank_of_input(node));
    if (axis != stack.axis || starts.size() != 1 || ends.size() != 1 || node.attributes.has("steps")) return;
    const auto count = std::ssize(stack.parts);
    const auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + count : at, 0, count); };
    const auto first = clamp(starts[0]), last = clamp(ends[0]);
    if (first >= last) return;
    const Stack range{{stack.parts.begin() + first, stack.parts.begin() + last}, stack.axis};
    stacks_[node.outputs[0]] = range;
    if (range.parts.size() > 1) return;
    node.op = "Unsqueeze";
    node.inputs = range.parts;
    node.attributes = {};
    node.attributes.set("axes", std::vector<int64_t>{stack.axis});
    changed_ = true;
  }

  /// Still a stack of the same parts when only the stack's axis moves.
  void remember_transposed(const DraftNode& node, const Stack& stack) {
    auto order = node.attributes.integers("perm", {});
    const auto at = std::ranges::find(order, stack.axis);
    if (at == order.end()) return;
    const auto axis = at - order.begin();
    order.erase(at);
    if (std::ranges::is_sorted(order)) stacks_[node.outputs[0]] = {stack.parts, axis};
  }

  /// The stack's axis and the one behind it become one: the parts stand one behind the other.
  void join_parts(DraftNode& node, const Stack& stack) {
    const auto *from = shape_of(node.inputs[0]), *to = shape_of(node.outputs[0]);
    const auto axis = static_cast<size_t>(stack.axis);
    if (!from || !to || axis + 1 >= from->size()) return;
    auto joined = *from;
    joined[axis + 1] *= joined[axis];
    joined.erase(joined.begin() + stack.axis);
    if (joined != *to) return;
    if (stack.parts.size() == 1) return become(node, stack.parts[0]);
    node.op = "Concat";
    node.inputs = stack.parts;
    node.attributes = {};
    node.attributes.set("axis", stack.axis);
    changed_ = true;
  }

  /// The last states of a recurrent layer that nobody reads after all.
  void drop_unread_states() {
    for (auto& node : draft_.nodes)
      while (ops::recurrent_gates({.op = node.op}) > 0 && node.outputs.size() > 1 &&
             draft_.readers(node.outputs.back()) == 0)
        node.outputs.pop_back();
  }

  void drop_unread() {
    std::set<std::string> read(draft_.output_values.begin(), draft_.output_values.end());
    for (auto& node : draft_.nodes | std::views::reverse) {
      const bool is_read = std::ranges::any_of(node.outputs, [&](const auto& output) { return read.contains(output); });
      is_read ? read.insert(node.inputs.begin(), node.inputs.end()) : node.outputs.clear();
    }
    std::erase_if(draft_.nodes, [](const DraftNode& node) { return node.outputs.empty(); });
  }

  Draft& draft_;
  std::map<std::string, Stack> stacks_;
  std::map<std::string, std::string> alias_;
  bool changed_ = false;
};

}  // namespace

void join_stacks(Draft& draft) {
  StackJoiner(draft).run();
}

}  // namespace compress::io
