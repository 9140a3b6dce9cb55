#include "passes/known_values.h"

#include "ops/op.h"
#include "ops/recurrent_layer.h"
#include "passes/linear_layer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>

#include <algorithm>
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

/// Where one unknown element decides what all others become.
bool picks_by_value(std::string_view op) {
  return op == "Hardmax" || op == "OneHot" || op == "TopK";
}

/// A sum of products of two values is known where every unknown factor meets a zero.
at::Tensor run_sum_of_products(const Node& node, const Tensors& inputs) {
  const auto type = inputs[0].scalar_type();
  const auto unknown_of = [&](size_t i) { return inputs[i].isnan().to(type); };
  const auto used_of = [&](size_t i) { return inputs[i].ne(0).to(type); };
  const at::Tensor left = run_kernel(node, {unknown_of(0), used_of(1)})[0];
  const at::Tensor right = run_kernel(node, {used_of(0), unknown_of(1)})[0];
  const at::Tensor result = run_kernel(node, {known_part(inputs[0]), known_part(inputs[1])})[0];
  return forget(result, left.add(right).ne(0));
}

/// Which hidden units depend on something unknown: an input, the state they start from, or such a unit.
at::Tensor unknown_units(const Tensors& inputs) {
  const at::Tensor &x = inputs[ops::kSequence], &hidden_weight = inputs[ops::kWeightHidden];
  const int64_t hidden = hidden_weight.size(1);
  const auto by_unit = [&](const at::Tensor& rows) { return rows.reshape({-1, hidden}).any(0); };
  const at::Tensor features = x.isnan().flatten(0, 1).any(0);
  at::Tensor unknown = by_unit(inputs[ops::kWeightInput].ne(0).logical_and(features).any(1));
  for (size_t i = ops::kBiasInput; i < inputs.size(); ++i) {
    if (!inputs[i].defined() || !is_real(inputs[i])) continue;
    const at::Tensor nan = inputs[i].isnan();
    unknown = unknown.logical_or(nan.dim() == 2 ? nan.any(0) : by_unit(nan));
  }
  for (at::Tensor before; !before.defined() || !before.equal(unknown);) {
    before = unknown;
    unknown = unknown.logical_or(by_unit(hidden_weight.ne(0).logical_and(unknown).any(1)));
  }
  return unknown;
}

Tensors run_recurrent(const Node& node, const Tensors& inputs) {
  Tensors known = inputs;
  for (auto& input : known)
    if (input.defined() && is_real(input)) input = known_part(input);
  const at::Tensor unknown = unknown_units(inputs);
  Tensors outputs = run_kernel(node, known);
  for (auto& output : outputs) output = forget(output, unknown.expand_as(output));
  return outputs;
}

/// Whatever the weights of an attention are: zero values add up to zero.
Tensors run_attention(const Node& node, const Tensors& inputs) {
  Tensors marks = inputs;
  for (auto& input : marks)
    if (input.defined() && is_real(input)) input = known_part(input).mul(0);
  for (const size_t value : {size_t{2}, size_t{5}})
    if (value < inputs.size() && inputs[value].defined())
      marks[value] = inputs[value].ne(0).to(inputs[value].scalar_type());
  Tensors outputs = run_kernel(node, inputs);
  const at::Tensor used = run_kernel(node, marks)[0];
  outputs[0] = forget(used.mul(0), used.ne(0));
  return outputs;
}

/// Rows picked by indices that nobody knows: what all rows agree on is known.
at::Tensor run_unknown_gather(const Node& node, const at::Tensor& data, const Shape& shape) {
  const int64_t axis = node.attributes.integer("axis", 0), front = axis < 0 ? axis + data.dim() : axis;
  const at::Tensor row = data.select(front, 0), differs = data.ne(row.unsqueeze(front)).any(front);
  Shape sizes(shape.size(), 1);  // the indices' axes stand where the picked axis was
  for (int64_t i = 0; i < front; ++i) sizes[static_cast<size_t>(i)] = data.size(i);
  for (int64_t i = 1; i < data.dim() - front; ++i)
    sizes[sizes.size() - static_cast<size_t>(i)] = data.size(data.dim() - i);
  return forget(row, differs).reshape(sizes).expand(shape);
}

/// Some input is not known at all (integers): real outputs are unknown numbers, others stay unknown.
Tensors run_opaque(const Node& node, const Tensors& inputs, const ops::Infos& infos) {
  Tensors outputs;
  for (int k = 0; k < node.outputs; ++k) {
    const auto& info = infos.at(node.output(k));
    const bool real = at::isFloatingType(info.type);
    const bool picks = real && node.op == "Gather" && inputs[0].defined() && inputs[0].numel() > 0;
    outputs.push_back(picks  ? run_unknown_gather(node, inputs[0], info.shape)
                      : real ? at::full(info.shape, kUnknown, info.type)
                             : at::Tensor());
  }
  return outputs;
}

bool has_unknown(const Tensors& inputs) {
  return std::ranges::any_of(inputs, [](const at::Tensor& input) { return any_unknown(input); });
}

Tensors run_node(const Node& node, const Tensors& inputs) {
  if (has_unknown(inputs)) {
    if (ops::recurrent_gates(node) > 0) return run_recurrent(node, inputs);
    if (node.op == "Attention") return run_attention(node, inputs);
    if ((node.op == "MatMul" || node.op == "Einsum") && inputs.size() == 2) return {run_sum_of_products(node, inputs)};
  }
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
  const bool any = has_unknown(inputs);
  for (auto& output : outputs) {
    if (any && picks_by_value(node.op) && is_real(output)) output = forget_all(output);
    if (any && !is_real(output)) output = at::Tensor();
  }
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
  for (const Node& node : graph.nodes())
    within("looking for constants at " + ops::describe(node), [&] { run(node, infos); });
}

void KnownValues::run(const Node& node, const ops::Infos& infos) {
  Tensors inputs;
  bool opaque = false;
  for (const auto& input : node.inputs) {
    inputs.push_back(input.empty() ? at::Tensor() : at(input));
    opaque = opaque || (!input.empty() && !inputs.back().defined());
  }
  const Tensors outputs = opaque ? run_opaque(node, inputs, infos) : run_node(node, inputs);
  for (int k = 0; k < node.outputs; ++k) values_[node.output(k)] = outputs[static_cast<size_t>(k)];
}

const at::Tensor& KnownValues::at(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) throw run_error("nothing is known of '{}'", name);
  return found->second;
}

}  // namespace compress::passes
