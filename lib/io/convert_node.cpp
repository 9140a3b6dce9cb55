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
    {"Dropout", "seed", std::nullopt},
    {"Split", "num_outputs", std::nullopt},  // the node knows
    {"DequantizeLinear", "block_size", 0},
    {"QuantizeLinear", "block_size", 0},
    {"QuantizeLinear", "saturate", std::nullopt},
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

/// Before opset 13 Softmax worked on all axes from `axis` on together.
void modernize_softmax(DraftNode& node, std::span<const Known> inputs) {
  const auto rank = static_cast<int64_t>(inputs[0].info[0].shape.size());
  auto axis = node.attributes.integer("axis", 1);
  if (axis < 0) axis += rank;
  for (auto other = axis + 1; other < rank; ++other)
    if (inputs[0].info[0].shape[static_cast<size_t>(other)] != 1)
      throw request_error("{} works on several axes together, as before opset 13, which is not supported", node.str())
          .hint("export the model with opset 13 or later");
  node.attributes.set("axis", axis);
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

/// Entries of a Reshape that follow the batch: 0 (as the input) where the input has it at the same axis, else -1 (the
/// rest).
at::Tensor free_reshape(const DraftNode& node, const Known& data, const Known& shape, int64_t frozen_batch) {
  auto first = integers_of(shape.value[0]);
  const auto second = integers_of(shape.value[1]);
  if (node.attributes.integer("allowzero", 0) != 0 && std::ranges::find(first, 0) != first.end())
    throw request_error("{} makes a value without elements (allowzero), which is not supported", node.str());
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
  if (known.is_constant()) return known.value[0];
  if (node.op == "Slice" && spec.index == 2) return free_ends(node, inputs);
  throw depends_on_batch(node, spec.attribute);
}

}  // namespace

bool Known::is_constant() const {
  return is_known() && (value[0].is_same(value[1]) || value[0].equal(value[1]));
}

void modernize(DraftNode& node, const ops::Op& op, int64_t opset, std::span<const Known> inputs) {
  if (node.op == "Softmax" && opset < 13 && !inputs.empty()) modernize_softmax(node, inputs);
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
    if (node.op == "Reshape") node.attributes.erase("allowzero");  // from here on 0 means "as the input"
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
