#include "io/without_effect.h"

#include <algorithm>
#include <numeric>

namespace compress::io {
namespace {

bool same_shape(const Known& a, const Known& b) {
  return a.info == b.info;
}

bool all_zero(const std::vector<int64_t>& list) {
  return std::ranges::all_of(list, [](int64_t x) { return x == 0; });
}

bool keeps_order(const DraftNode& node, size_t rank) {
  auto order = node.attributes.integers("perm", {});
  std::vector<int64_t> straight(rank);
  std::iota(straight.begin(), straight.end(), 0);
  return order == straight;
}

/// All axes behind the first two, in any order and sign.
bool covers_space(std::vector<int64_t> axes, size_t rank) {
  for (auto& axis : axes)
    if (axis < 0) axis += static_cast<int64_t>(rank);
  std::ranges::sort(axes);
  std::vector<int64_t> space(rank - 2);
  std::iota(space.begin(), space.end(), 2);
  return axes == space;
}

void become(DraftNode& node, const char* op) {
  node.op = op;
  node.attributes = {};
}

/// A slice that leaves every size as it is leaves everything, unless it runs backwards, or takes the first samples of a
/// batch that is small in imagination only.
bool takes_everything(const DraftNode& node, const Known& input) {
  const auto steps = node.attributes.integers("steps", {});
  if (std::ranges::any_of(steps, [](int64_t step) { return step < 0; })) return false;
  const auto rank = static_cast<int64_t>(input.info[0].shape.size());
  const auto ends = node.attributes.integers("ends", {}), axes = node.attributes.integers("axes", {});
  for (size_t i = 0; i < ends.size(); ++i) {
    auto axis = i < axes.size() ? axes[i] : static_cast<int64_t>(i);
    if (axis < 0) axis += rank;
    const auto size = static_cast<size_t>(axis);
    const bool grows = input.info[0].shape[size] != input.info[1].shape[size];
    if (grows && ends[i] < std::numeric_limits<int32_t>::max()) return false;
  }
  return true;
}

/// A window that covers all of space at once.
bool pools_everything(const DraftNode& node, const Known& input, const Known& output) {
  if (node.op != "AveragePool" || !all_zero(node.attributes.integers("pads", {}))) return false;
  const auto space = [](const Known& known) {
    const auto& shape = known.info[0].shape;
    return Shape(shape.begin() + 2, shape.end());
  };
  return node.attributes.text("auto_pad", "NOTSET") == "NOTSET" &&
         node.attributes.integers("kernel_shape", {}) == space(input) &&
         std::ranges::all_of(space(output), [](int64_t size) { return size == 1; });
}

struct Default {
  std::string_view attribute;
  double value;                ///< of the number, or of each entry of a list
  std::string_view word = {};  ///< of a text
};
/// The same for all operators that have the attribute.
constexpr Default kDefaults[] = {
    {"auto_pad", 0, "NOTSET"},
    {"ceil_mode", 0},
    {"count_include_pad", 0},
    {"dilations", 1},
    {"epsilon", 1e-5},
    {"group", 1},
    {"keepdims", 1},
    {"momentum", 0.9},
    {"pads", 0},
    {"steps", 1},
    {"storage_order", 0},
    {"strides", 1},
    {"noop_with_empty_axes", 0},
    {"value", 0},
    {"mode", 0, "constant"},
};

bool is_default(const Default& known, const Attribute& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return static_cast<double>(*number) == known.value;
  if (const auto* number = std::get_if<double>(&value)) return *number == known.value;
  if (const auto* word = std::get_if<std::string>(&value)) return *word == known.word;
  if (const auto* list = std::get_if<std::vector<int64_t>>(&value))
    return std::ranges::all_of(*list, [&](int64_t x) { return static_cast<double>(x) == known.value; });
  return false;
}

void name_each_size(DraftNode& node, const Known& input, const Known& output) {
  const auto &first = output.info[0].shape, &second = output.info[1].shape;
  Shape sizes;
  for (size_t i = 0; i < first.size(); ++i) {
    const bool as_input =
        i < input.info[0].shape.size() && first[i] == input.info[0].shape[i] && second[i] == input.info[1].shape[i];
    sizes.push_back(first[i] == second[i] ? first[i] : as_input ? 0 : -1);
  }
  // A size of 0 would be read as "as the input", and only one size can be the rest.
  if (std::ranges::count(sizes, -1) > 1 || std::ranges::count(first, 0) > 0) return;
  node.attributes.set("shape", sizes);
}

/// From opset 18 on a Split without sizes is not complete.
void name_each_part(DraftNode& node, std::span<const Known> parts) {
  const auto rank = static_cast<int64_t>(parts[0].info[0].shape.size());
  auto axis = node.attributes.integer("axis", 0);
  if (axis < 0) axis += rank;
  Shape sizes;
  for (const auto& part : parts) {
    const auto &first = part.info[0].shape[static_cast<size_t>(axis)],
               &second = part.info[1].shape[static_cast<size_t>(axis)];
    if (first != second) return;
    sizes.push_back(first);
  }
  node.attributes.set("split", sizes);
}

}  // namespace

std::optional<size_t> input_it_equals(const DraftNode& node, std::span<const Known> inputs, const Known& output) {
  const auto one_input = std::ranges::count_if(node.inputs, [](const auto& name) { return !name.empty(); }) == 1 &&
                         node.outputs.size() == 1;
  if (!one_input || node.inputs[0].empty()) return std::nullopt;
  const auto& input = inputs[0];
  const auto& op = node.op;
  if (op == "Concat") return 0;
  if (op == "Clip" && !node.attributes.has("min") && !node.attributes.has("max")) return 0;
  if (!same_shape(input, output)) return std::nullopt;
  if (op == "Reshape" || op == "Flatten" || op == "Squeeze" || op == "Unsqueeze" || op == "Expand" || op == "Cast")
    return 0;
  if (op == "Pad" && all_zero(node.attributes.integers("pads", {}))) return 0;
  if (op == "Transpose" && keeps_order(node, input.info[0].shape.size())) return 0;
  if (op == "Slice" && takes_everything(node, input)) return 0;
  return std::nullopt;
}

void simplify(DraftNode& node, std::span<const Known> inputs, std::span<const Known> outputs) {
  if (inputs.empty() || node.domain != "") return;
  const auto& in = inputs[0].info;
  const auto& output = outputs[0];
  if (node.op == "Split") name_each_part(node, outputs);
  if (node.op == "Reshape") {
    const bool joins = output.info[0].shape.size() == 2 && in[0].shape.size() > 2 &&
                       output.info[0].shape[0] == in[0].shape[0] && output.info[1].shape[0] == in[1].shape[0];
    joins ? become(node, "Flatten") : name_each_size(node, inputs[0], output);
  }
  if (node.op == "Flatten" && node.attributes.integer("axis", 1) == 1) node.attributes = {};
  if (node.op == "Softmax" && node.attributes.integer("axis", -1) == static_cast<int64_t>(in[0].shape.size()) - 1)
    node.attributes.erase("axis");
  const bool averages = node.op == "ReduceMean" && in[0].shape.size() == 4 &&
                        node.attributes.integer("keepdims", 1) != 0 &&
                        covers_space(node.attributes.integers("axes", {}), 4);
  if (averages || pools_everything(node, inputs[0], output)) become(node, "GlobalAveragePool");
  drop_defaults(node);
}

void drop_defaults(DraftNode& node) {
  std::vector<std::string> names;
  for (const auto& [name, value] : node.attributes) {
    const auto known = std::ranges::find(kDefaults, std::string_view(name), &Default::attribute);
    if (known != std::end(kDefaults) && is_default(*known, value)) names.push_back(name);
  }
  for (const auto& name : names) node.attributes.erase(name);
}

}  // namespace compress::io
