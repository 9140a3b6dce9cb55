#include "io/convert_node.h"

#include "core/error.h"
#include "core/text.h"
#include "io/constant_operators.h"

#include <algorithm>

namespace compress::io {
namespace {

using Type = ops::AttributeSpec::Type;

/// Attributes that some opset has, and the value with which they change nothing.
struct WithoutEffect {
  std::string_view op, attribute;
  std::optional<int64_t> value;  ///< none: any
};
constexpr WithoutEffect kWithoutEffect[] = {
    {"BatchNormalization", "training_mode", std::nullopt},  // the mode is the executor's
    {"BatchNormalization", "spatial", 1},
    {"Cast", "round_mode", std::nullopt},  // of 8-bit floats only
    {"Cast", "saturate", std::nullopt},
    {"CastLike", "round_mode", std::nullopt},
    {"CastLike", "saturate", std::nullopt},
    {"Dropout", "seed", std::nullopt},
    {"Split", "num_outputs", std::nullopt},  // the node knows
    {"DequantizeLinear", "block_size", 0},
    {"QuantizeLinear", "block_size", 0},
    {"QuantizeLinear", "output_dtype", 0},
    {"QuantizeLinear", "precision", 0},
    {"DequantizeLinear", "output_dtype", 0},
};

bool is_without_effect(const std::string& op, const std::string& attribute, const Attribute& value) {
  const auto* integer = std::get_if<int64_t>(&value);
  return std::ranges::any_of(kWithoutEffect, [&](const WithoutEffect& entry) {
    return entry.op == op && entry.attribute == attribute && (!entry.value || (integer && *integer == *entry.value));
  });
}

const ops::AttributeSpec& spec_of(const DraftNode& node, const ops::Op& op, std::string_view name) {
  const auto found = std::ranges::find(op.attributes, name, &ops::AttributeSpec::name);
  if (found == op.attributes.end())
    throw request_error("{}: the operator table has no attribute '{}'", node.str(), name);
  return *found;
}

std::vector<double> numbers_of(const at::Tensor& tensor) {
  const auto flat = tensor.to(at::kDouble).flatten().contiguous();
  std::vector<double> numbers(flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel());
  if (tensor.scalar_type() == at::kFloat)
    for (auto& number : numbers) number = shortest(static_cast<float>(number));
  return numbers;
}

/// None: an empty tensor stands for an absent number.
std::optional<Attribute> to_attribute(const DraftNode& node, const ops::AttributeSpec& spec, const at::Tensor& value) {
  const bool list = spec.type == Type::integers || spec.type == Type::numbers;
  if (!list && value.numel() == 0) return std::nullopt;
  if (!list && value.numel() != 1)
    throw request_error("{}: '{}' must be one number, it has shape {}", node.str(), spec.name,
                        shape_text(value.sizes()));
  switch (spec.type) {
  case Type::integer: return Attribute(integers_of(value)[0]);
  case Type::number: return Attribute(numbers_of(value)[0]);
  case Type::integers: return Attribute(integers_of(value));
  case Type::numbers: return Attribute(numbers_of(value));
  case Type::text: break;
  }
  throw request_error("{}: '{}' cannot be given as an input", node.str(), spec.name);
}

Error depends_on_batch(const DraftNode& node, std::string_view attribute) {
  return request_error("{}: '{}' depends on the batch size in a way that is not supported", node.str(), attribute)
      .hint("export the model with a fixed batch");
}

/// A 0 of a Reshape's shape that means a size of 0.
bool makes_nothing(const DraftNode& node, const std::vector<int64_t>& shape) {
  return node.attributes.integer("allowzero", 0) != 0 && std::ranges::find(shape, 0) != shape.end();
}

/// Entries of a Reshape that follow the batch: 0 (as the input) where the input has it at the same axis, else -1 (the
/// rest).
at::Tensor free_reshape(const DraftNode& node, const Known& data, const Known& shape, int64_t frozen_batch) {
  auto first = integers_of(shape.value[0]);
  const auto second = integers_of(shape.value[1]);
  if (makes_nothing(node, first)) {
    if (!shape.is_constant()) throw depends_on_batch(node, "shape");
    return shape.value[0];
  }
  const auto &in_first = data.info[0].shape, &in_second = data.info[1].shape;
  if (first.size() != second.size()) throw depends_on_batch(node, "shape");
  for (size_t i = 0; i < first.size(); ++i) {
    const bool free = i < in_first.size() && in_first[i] != in_second[i];
    const bool frozen = i == 0 && free && frozen_batch > 0 && first[i] == frozen_batch && second[i] == frozen_batch;
    if (first[i] == second[i] && !frozen) continue;
    const bool same_axis = frozen || (free && first[i] == in_first[i] && second[i] == in_second[i]);
    if (!same_axis && std::ranges::find(first, -1) != first.end()) throw depends_on_batch(node, "shape");
    first[i] = same_axis ? 0 : -1;
  }
  return integer_list(first);
}

/// Sizes of a Resize that follow the input's become 0, "as the input".
at::Tensor free_sizes(const DraftNode& node, const Known& data, const Known& sizes, int64_t frozen_batch) {
  auto first = integers_of(sizes.value[0]);
  const auto second = integers_of(sizes.value[1]);
  const auto &in_first = data.info[0].shape, &in_second = data.info[1].shape;
  const bool all_axes = first.size() == in_first.size() && second.size() == in_second.size();
  if (!all_axes && !sizes.is_constant()) throw depends_on_batch(node, "sizes");
  for (size_t i = 0; all_axes && i < first.size(); ++i) {
    const bool frozen = i == 0 && in_first[0] != in_second[0] && first[0] == frozen_batch && second[0] == frozen_batch;
    if (first[i] == second[i] && !frozen) continue;
    if (!frozen && (first[i] != in_first[i] || second[i] != in_second[i])) throw depends_on_batch(node, "sizes");
    first[i] = 0;
  }
  return integer_list(first);
}

/// Sizes of an Expand that follow the input's, counted from the last axis, become 1, "as the input".
at::Tensor free_expansion(const DraftNode& node, const Known& data, const Known& shape, int64_t frozen_batch) {
  auto first = integers_of(shape.value[0]);
  const auto second = integers_of(shape.value[1]);
  if (first.size() != second.size()) throw depends_on_batch(node, "shape");
  const auto &in_first = data.info[0].shape, &in_second = data.info[1].shape;
  for (size_t back = 1; back <= first.size(); ++back) {
    const auto i = first.size() - back;
    const bool has_axis = back <= in_first.size();
    const auto axis = has_axis ? in_first.size() - back : 0;
    const bool free = has_axis && in_first[axis] != in_second[axis];
    const bool frozen = free && axis == 0 && first[i] == frozen_batch && second[i] == frozen_batch;
    if (first[i] == second[i] && !frozen) continue;
    if (!frozen && (!free || first[i] != in_first[axis] || second[i] != in_second[axis]))
      throw depends_on_batch(node, "shape");
    first[i] = 1;
  }
  return integer_list(first);
}

/// Ends of a Slice that are the size of an axis, whatever the batch, mean "to the end".
at::Tensor free_ends(const DraftNode& node, std::span<const Known> inputs) {
  auto first = integers_of(inputs[2].value[0]);
  const auto second = integers_of(inputs[2].value[1]);
  const auto axes =
      inputs.size() > 3 && inputs[3].is_constant() ? integers_of(inputs[3].value[0]) : std::vector<int64_t>();
  for (size_t i = 0; i < first.size() && i < second.size(); ++i) {
    if (first[i] == second[i]) continue;
    auto axis = i < axes.size() ? axes[i] : static_cast<int64_t>(i);
    const auto rank = static_cast<int64_t>(inputs[0].info[0].shape.size());
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank || first[i] < inputs[0].info[0].shape[axis] ||
        second[i] < inputs[0].info[1].shape[axis])
      throw depends_on_batch(node, "ends");
    first[i] = std::numeric_limits<int64_t>::max();
  }
  return integer_list(first);
}

at::Tensor constant_input(const DraftNode& node,
                          const ops::ConstantInput& spec,
                          std::span<const Known> inputs,
                          int64_t frozen_batch) {
  const auto& known = inputs[static_cast<size_t>(spec.index)];
  if (!known.is_known())
    throw request_error("{}: input {} ('{}') must be a constant, but it is computed from the network's inputs",
                        node.str(), spec.index, spec.attribute)
        .hint("export the model with fixed sizes");
  if (node.op == "Reshape") return free_reshape(node, inputs[0], known, frozen_batch);
  if (node.op == "Expand") return free_expansion(node, inputs[0], known, frozen_batch);
  if (node.op == "Resize" && spec.index == 3) return free_sizes(node, inputs[0], known, frozen_batch);
  if (known.is_constant()) return known.value[0];
  if (node.op == "Slice" && spec.index == 2) return free_ends(node, inputs);
  throw depends_on_batch(node, spec.attribute);
}

}  // namespace

bool Known::is_constant() const {
  return is_known() && (value[0].is_same(value[1]) || value[0].equal(value[1]));
}

void modernize(DraftNode& node, const ops::Op& op) {
  // Dropout's third input says whether it trains: the mode of the executor decides that here.
  if (node.op == "Dropout" && node.inputs.size() > 2) node.inputs.resize(2);
  for (const auto& [name, tensor] : node.tensors)
    throw request_error("{}: attribute '{}' may not be a tensor", node.str(), name);
  std::vector<std::string> dropped;
  for (const auto& [name, value] : node.attributes)
    if (std::ranges::find(op.attributes, name, &ops::AttributeSpec::name) == op.attributes.end() &&
        is_without_effect(node.op, name, value))
      dropped.push_back(name);
  for (const auto& name : dropped) node.attributes.erase(name);
}

void constants_to_attributes(DraftNode& node, const ops::Op& op, std::span<const Known> inputs, int64_t frozen_batch) {
  for (const auto& spec : op.constant_inputs) {
    const auto index = static_cast<size_t>(spec.index);
    if (!node.has_input(index)) continue;
    if (node.attributes.has(spec.attribute))
      throw request_error("{} has '{}' as attribute and as input", node.str(), spec.attribute);
    const auto value =
        to_attribute(node, spec_of(node, op, spec.attribute), constant_input(node, spec, inputs, frozen_batch));
    if (value) node.attributes.set(std::string(spec.attribute), *value);
    node.inputs[index].clear();
    // From here on 0 means "as the input".
    if (node.op == "Reshape" && !makes_nothing(node, node.attributes.integers("shape", {})))
      node.attributes.erase("allowzero");
  }
  while (!node.inputs.empty() && node.inputs.back().empty()) node.inputs.pop_back();
}

Node to_graph_node(const DraftNode& draft) {
  Node node{.name = draft.name.empty() ? draft.outputs.front() : draft.name,
            .op = draft.op,
            .inputs = draft.inputs,
            .attributes = draft.attributes,
            .outputs = static_cast<int>(draft.outputs.size())};
  ops::check_node(node);
  return node;
}

}  // namespace compress::io
