#include "exec/fused_kernel.h"

#include "ops/conv.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

namespace compress::exec {

namespace {

/// x * w + b followed by y = (x - mean) / sqrt(variance + epsilon) * gamma + beta is the same with other weights.
Weights fold_batch_norm(const Weights& plain, const Node& node, const Constants& constants) {
  const auto wide = [&](size_t i) { return constants(node.inputs[i]).to(at::kDouble); };
  const auto scale = wide(1) / (wide(4) + node.attributes.number("epsilon", 1e-5)).sqrt();
  auto shift = wide(2) - wide(3) * scale;
  if (plain.bias.defined()) shift = shift + plain.bias.to(at::kDouble) * scale;
  std::vector<int64_t> per_output(static_cast<size_t>(plain.weight.dim()), 1);
  per_output[0] = -1;
  return {(plain.weight.to(at::kDouble) * scale.view(per_output)).to(at::kFloat), shift.to(at::kFloat)};
}

Weights weights_of_quantised(const Node& node, const Constants& constants) {
  std::vector<at::Tensor> tensors{at::Tensor()};
  for (size_t i = 1; i < node.inputs.size(); ++i) tensors.push_back(constants(node.inputs[i]));
  std::vector<const at::Tensor*> inputs;
  for (const auto& tensor : tensors) inputs.push_back(tensor.defined() ? &tensor : nullptr);
  const auto folded = ops::folded_weights(node, inputs);
  return {folded.weight, folded.bias};
}

}  // namespace

Weights folded_weights(const Group& group, const Constants& constants) {
  const Node& node = *group.first;
  if (node.op == "ConvBatchNormalization") return weights_of_quantised(node, constants);
  const Weights weights{constants(node.inputs[1]), node.has_input(2) ? constants(node.inputs[2]) : at::Tensor()};
  return group.batch_norm ? fold_batch_norm(weights, *group.batch_norm, constants) : weights;
}

bool has_known_weights(const Node& node, const Constants& constants) {
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (!node.has_input(i)) continue;
    const auto tensor = constants(node.inputs[i]);
    if (!tensor.defined() || !tensor.is_cpu() || tensor.scalar_type() != at::kFloat) return false;
  }
  return node.has_input(1);
}

ops::FusedActivation activation_of(const Group& group) {
  if (!group.activation) return {.name = "none"};
  return *ops::op_of(*group.activation).fused(*group.activation);
}

}  // namespace compress::exec
