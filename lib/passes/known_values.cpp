#include "passes/known_values.h"

#include "ops/op.h"
#include "passes/linear_layer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>

#include <limits>
#include <vector>

namespace compress::passes {

namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

using Tensors = std::vector<at::Tensor>;

bool is_real(const at::Tensor& tensor) {
  return at::isFloatingType(tensor.scalar_type());
}
bool any_unknown(const at::Tensor& tensor) {
  return tensor.defined() && is_real(tensor) && tensor.isnan().any().item<bool>();
}
at::Tensor known_part(const at::Tensor& tensor) {
  return tensor.nan_to_num(0, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity());
}
at::Tensor forget(const at::Tensor& tensor, const at::Tensor& unknown) {
  return tensor.masked_fill(unknown, kUnknown);
}
at::Tensor forget_all(const at::Tensor& tensor) {
  return tensor.new_full(tensor.sizes(), kUnknown);
}

Tensors run_kernel(const Node& node, const Tensors& inputs) {
  std::vector<const at::Tensor*> pointers;
  for (const auto& input : inputs) pointers.push_back(input.defined() ? &input : nullptr);
  Tensors outputs(static_cast<size_t>(node.outputs));
  ops::Call call{.inputs = pointers, .outputs = outputs};
  ops::op_of(node).kernel(node)(call);
  return outputs;
}

/// With the unknown parts of the given input taken as zero.
at::Tensor run_known(const Node& node, Tensors inputs) {
  inputs[0] = known_part(inputs[0]);
  return run_kernel(node, inputs)[0];
}

/// A value per channel along axis 1 of something with `dim` axes.
at::Tensor per_channel(const at::Tensor& values, int64_t dim) {
  std::vector<int64_t> shape(static_cast<size_t>(dim), 1);
  shape[1] = -1;
  return values.reshape(shape);
}

/// W x is known where every unknown element of x meets a zero weight.
at::Tensor run_linear(const Node& node, const Tensors& inputs) {
  const at::Tensor result = run_known(node, inputs);
  for (size_t i = 1; i < inputs.size(); ++i)
    if (any_unknown(inputs[i])) return forget_all(result);
  at::Tensor unknown = linear_part(node, inputs[0].isnan().to(result.scalar_type()), inputs[1].abs()).ne(0);
  if (node.op == "ConvBatchNormalization")
    unknown = unknown.logical_and(per_channel(inputs[3].ne(0), result.dim()));  // gamma
  return forget(result, unknown);
}

/// With gamma = 0 the result is beta, whatever comes in.
at::Tensor run_batch_norm(const Node& node, const Tensors& inputs) {
  const at::Tensor read = per_channel(inputs[1].ne(0), inputs[0].dim());
  return forget(run_known(node, inputs), inputs[0].isnan().logical_and(read));
}

/// 0 * x = 0.
at::Tensor run_product(const Tensors& inputs) {
  const at::Tensor &a = inputs[0], &b = inputs[1];
  const at::Tensor unknown = a.isnan().logical_and(b.ne(0)).logical_or(b.isnan().logical_and(a.ne(0)));
  return forget(known_part(a).mul(known_part(b)), unknown);
}

Tensors run_node(const Node& node, const Tensors& inputs) {
  const bool unknown = any_unknown(inputs[0]);
  if (unknown && is_linear_layer(node)) return {run_linear(node, inputs)};
  if (unknown && node.op == "BatchNormalization") return {run_batch_norm(node, inputs)};
  if (node.op == "Mul") return {run_product(inputs)};
  if (unknown && ops::op_of(node).quantization == ops::Quantization::quantizer) {
    const at::Tensor result = run_known(node, inputs);
    if (!is_real(result)) return Tensors(1);
    return {forget(result, inputs[0].isnan())};
  }
  Tensors outputs = run_kernel(node, inputs);  // every other kernel hands NaN on
  for (auto& output : outputs)
    if (unknown && !is_real(output)) output = at::Tensor();
  return outputs;
}

}  // namespace

KnownValues::KnownValues(const Graph& graph) {
  const at::NoGradGuard no_grad;
  const ops::Infos infos = ops::infer(graph, 1);
  for (const auto& input : graph.inputs)
    values_[input.name] =
        at::isFloatingType(input.type) ? at::full(infos.at(input.name).shape, kUnknown, input.type) : at::Tensor();
  for (const Parameter& parameter : graph.parameters()) {
    const at::Tensor value = parameter.value.detach();
    values_[parameter.name] = parameter.mask.defined() ? value.mul(parameter.mask) : value;
  }
  for (const Node& node : graph.nodes()) within("looking for constants at " + ops::describe(node), [&] { run(node); });
}

void KnownValues::run(const Node& node) {
  Tensors inputs;
  bool opaque = false;
  for (const auto& input : node.inputs) {
    inputs.push_back(input.empty() ? at::Tensor() : at(input));
    opaque = opaque || (!input.empty() && !inputs.back().defined());
  }
  const Tensors outputs = opaque ? Tensors(static_cast<size_t>(node.outputs)) : run_node(node, inputs);
  for (int k = 0; k < node.outputs; ++k) values_[node.output(k)] = outputs[static_cast<size_t>(k)];
}

const at::Tensor& KnownValues::at(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) throw run_error("nothing is known of '{}'", name);
  return found->second;
}

}  // namespace compress::passes
