#include "io/check_values.h"

#include "core/error.h"
#include "io/constant_operators.h"

#include <ATen/TensorOperators.h>

namespace compress::io {
namespace {

/// Indices count from 0, or from the end below 0.
void check_indices(const DraftNode& node, std::span<const Known> inputs) {
  if (inputs.size() < 2 || !inputs[1].is_constant() || inputs[1].value[0].numel() == 0) return;
  const auto& shape = inputs[0].info[0].shape;
  const auto rank = static_cast<int64_t>(shape.size());
  auto axis = node.attributes.integer("axis", 0);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank || shape[axis] != inputs[0].info[1].shape[axis]) return;
  for (const auto index : integers_of(inputs[1].value[0]))
    if (index < -shape[axis] || index >= shape[axis])
      throw request_error("{}: index {} is outside of axis {}, which has {} entries", node.str(), index, axis,
                          shape[axis])
          .hint("the model is damaged; export it again");
}

void check_scale(const DraftNode& node, std::span<const Known> inputs) {
  if (inputs.size() < 2 || !inputs[1].is_constant()) return;
  const auto& scale = inputs[1].value[0];
  if (!scale.is_floating_point() || scale.isfinite().logical_and(scale.gt(0)).all().item<bool>()) return;
  throw request_error("{}: the scale is not everywhere a positive number", node.str())
      .hint("quantise the model again; a scale of zero cannot be divided by");
}

}  // namespace

void check_values(const DraftNode& node, std::span<const Known> inputs) {
  if (!node.domain.empty()) return;
  if (node.op == "Gather" || node.op == "GatherElements" || node.op == "ScatterElements") check_indices(node, inputs);
  if (node.op == "QuantizeLinear" || node.op == "DequantizeLinear") check_scale(node, inputs);
  const bool convolves = node.op == "Conv" || node.op == "ConvTranspose";
  if (convolves && inputs.size() > 1 && !at::isFloatingType(inputs[1].info[0].type))
    throw request_error("{}: the weight is of type {}, but a convolution needs floating point", node.str(),
                        c10::toString(inputs[1].info[0].type))
        .hint("integers are convolved by ConvInteger and QLinearConv");
}

}  // namespace compress::io
