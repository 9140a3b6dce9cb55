#include "io/old_forms.h"

#include "core/error.h"
#include "io/onnx_tensor.h"

#include <algorithm>

namespace compress::io {
namespace {

DraftNode step(
    const DraftNode& node, const char* op, std::vector<std::string> inputs, std::string output, Attributes attributes) {
  return {.name = node.name,
          .op = op,
          .scope = node.scope,
          .inputs = std::move(inputs),
          .outputs = {std::move(output)},
          .attributes = std::move(attributes),
          .opset = node.opset};
}

Attributes attribute(const char* name, Attribute value) {
  Attributes attributes;
  attributes.set(name, std::move(value));
  return attributes;
}

/// Sizes as a Reshape of [rows, columns] takes them: the batch stays open.
Shape open_shape(const Known& value, int64_t axis) {
  Shape sizes;
  for (size_t i = 0; i < value.info[0].shape.size(); ++i) {
    const auto first = value.info[0].shape[i];
    const bool free = first != value.info[1].shape[i];
    sizes.push_back(!free ? first : i == 0 && axis == 1 ? 0 : -1);
  }
  return sizes;
}

/// Before opset 13 the Softmax family worked on all axes from `axis` on together.
std::vector<DraftNode> modern_softmax(const DraftNode& node, const Known& input) {
  const auto& shape = input.info[0].shape;
  const auto rank = static_cast<int64_t>(shape.size());
  auto axis = node.attributes.integer("axis", 1);
  if (axis < -rank || axis > rank) throw request_error("{}: axis {} of a value with {} axes", node.str(), axis, rank);
  if (axis < 0) axis += rank;
  const bool one_axis =
      axis < rank && std::all_of(shape.begin() + axis + 1, shape.end(), [](int64_t size) { return size == 1; });
  if (one_axis) {
    auto modern = node;
    modern.attributes.set("axis", axis);
    modern.opset = 13;
    return {modern};
  }
  const auto rows = node.outputs[0] + "%rows", columns = node.outputs[0] + "%columns";
  auto softmax = step(node, node.op.c_str(), {rows}, columns, attribute("axis", int64_t{1}));
  softmax.opset = 13;
  return {step(node, "Flatten", node.inputs, rows, attribute("axis", axis)), std::move(softmax),
          step(node, "Reshape", {columns}, node.outputs[0], attribute("shape", open_shape(input, axis)))};
}

/// Before opset 21 GroupNormalization had one scale and one bias per group.
std::vector<DraftNode> modern_group_normalization(const DraftNode& node, std::span<const Known> inputs) {
  const auto groups = node.attributes.integer("num_groups", 0);
  if (inputs.size() != 3 || inputs[0].info[0].shape.size() < 2 || groups < 1)
    throw request_error("{} must have three inputs and num_groups", node.str());
  const auto channels = inputs[0].info[0].shape[1];
  std::vector<DraftNode> nodes;
  auto modern = node;
  modern.opset = 21;
  for (size_t i = 1; i < 3; ++i) {
    const auto name = node.outputs[0] + "%" + std::to_string(i);
    nodes.push_back(step(node, "Unsqueeze", {node.inputs[i]}, name, attribute("axes", Shape{1})));
    nodes.push_back(step(node, "Expand", {name}, name + "x", attribute("shape", Shape{groups, channels / groups})));
    nodes.push_back(step(node, "Reshape", {name + "x"}, name + "c", attribute("shape", Shape{channels})));
    modern.inputs[i] = name + "c";
  }
  nodes.push_back(std::move(modern));
  return nodes;
}

/// The type to cast to is known here, so that a constant can be cast now.
std::vector<DraftNode> modern_cast(const DraftNode& node, const Known& like) {
  return {
      step(node, "Cast", {node.inputs[0]}, node.outputs[0], attribute("to", int64_t{onnx_type(like.info[0].type)}))};
}

}  // namespace

std::vector<DraftNode> modern_nodes(const DraftNode& node, std::span<const Known> inputs) {
  if (!node.domain.empty() || inputs.empty()) return {};
  const bool softmax = node.op == "Softmax" || node.op == "LogSoftmax" || node.op == "Hardmax";
  if (softmax && node.opset < 13) return modern_softmax(node, inputs[0]);
  if (node.op == "GroupNormalization" && node.opset < 21) return modern_group_normalization(node, inputs);
  if (node.op == "Resize" && node.opset < 11) {  // its scales stood where Resize has its region today
    auto older = node;
    older.op = "Upsample";
    return {older};
  }
  if (node.op == "CastLike" && inputs.size() == 2) return modern_cast(node, inputs[1]);
  if (node.op == "Scatter") {
    auto modern = node;
    modern.op = "ScatterElements";
    return {modern};
  }
  return {};
}

}  // namespace compress::io
