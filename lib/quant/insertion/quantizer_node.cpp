#include "quant/insertion/quantizer_node.h"

#include "core/text.h"
#include "ops/grid_method.h"
#include "ops/op.h"
#include "ops/weight_groups.h"

#include <ATen/ops/tensor.h>

#include <algorithm>

namespace compress::quant {
namespace {

std::string
add_number(Graph& graph, const std::string& name, const at::Tensor& value, bool trainable, Changes& changes) {
  changes.added.push_back(name);
  return graph.add_parameter({.name = name, .value = value.contiguous().clone(), .trainable = trainable}).name;
}

/// The weight in rows: one for each scale.
at::Tensor in_rows(const at::Tensor& weight, ops::GridAxes axes) {
  if (axes.group_size > 0) return ops::in_groups(weight, axes).flatten(0, 1);
  return weight.movedim(axes.axis, 0).reshape({weight.size(axes.axis), -1});
}

bool read_by_layer(const Graph& graph, const Node& quantizer, int ops::Op::*place) {
  return std::ranges::any_of(graph.consumers(quantizer.name), [&](const Node* reader) {
    const int input = ops::op_of(*reader).*place;
    return input >= 0 && reader->has_input(static_cast<size_t>(input)) &&
           reader->inputs[static_cast<size_t>(input)] == quantizer.name;
  });
}

Extremes chosen(const std::string& name, const at::Tensor& numbers, const TensorRule& rule) {
  ValueStatistics seen(name, rule.observer->needs());
  seen.watch(numbers);
  return rule.observer->range(seen, rule.spec());
}

}  // namespace

std::string add_constant(Graph& graph, const std::string& name, at::Tensor value, Changes& changes) {
  changes.added.push_back(name);
  return graph.add_parameter({.name = name, .value = std::move(value), .trainable = false}).name;
}

std::vector<std::string> add_quantizer_parameters(Graph& graph,
                                                  const std::string& prefix,
                                                  const TensorRule& rule,
                                                  const ops::ValueRange& range,
                                                  size_t values,
                                                  Changes& changes) {
  const auto& method = ops::grid_method(rule.method);
  const auto spec = rule.spec();
  within(fmt::format("making the grid of '{}'", prefix), [&] { ops::check_range(range); });
  const auto grid = ops::make_grid(range.min, range.max, spec);
  std::vector<std::string> names{add_number(graph, prefix + ".scale", grid.scale, method.learns_scale, changes),
                                 add_constant(graph, prefix + ".zero_point", grid.zero_point, changes)};
  const auto first = method.start ? method.start(range, spec) : std::vector<at::Tensor>();
  for (size_t i = 0; i < method.inputs.size(); ++i) {
    const auto& input = method.inputs[i];
    auto value = i < first.size() ? first[i] : grid.scale.new_zeros(grid.scale.sizes());
    if (input.single) value = value.flatten()[0];
    if (input.per_value && values > 1) value = value.reshape({-1}).repeat(static_cast<int64_t>(values));
    names.push_back(add_number(graph, fmt::format("{}.{}", prefix, input.name), value, input.trainable, changes));
  }
  return names;
}

Node quantizer_node(std::string name,
                    const std::string& value,
                    const TensorRule& rule,
                    const std::vector<std::string>& parameters) {
  Node quantizer{.name = std::move(name), .op = "FakeQuantize", .inputs = {value}};
  quantizer.inputs.insert(quantizer.inputs.end(), parameters.begin(), parameters.end());
  ops::set_grid(quantizer.attributes, rule.spec());
  quantizer.attributes.set("method", rule.method);
  for (const auto& [key, argument] : rule.method_arguments) quantizer.attributes.set(key, argument);
  return quantizer;
}

ops::GridAxes weight_axes(const TensorRule& rule, const Node& layer, const at::Tensor& weight) {
  const auto& op = ops::op_of(layer);
  const int64_t axis = op.weight_axis ? op.weight_axis(layer) : -1;
  // A product with a list has no output channels.
  if (axis < 0 || axis >= weight.dim() || (!rule.per_channel && rule.group_size == 0)) return {};
  // Integer products take several scales with one matrix only.
  if (layer.op == "MatMul" && weight.dim() > 2) {
    if (rule.group_size == 0) return {};
    throw request_error("the weight of '{}' is a stack of matrices of shape {}: it has one scale, not groups of {} "
                        "('group_size')",
                        layer.name, shape_text(weight.sizes()), rule.group_size)
        .hint(fmt::format("leave it out of the groups: overrides: {{{}: {{group_size: 0}}}}", layer.name));
  }
  if (rule.group_size == 0) return {axis};
  const ops::GridAxes axes(axis, axis == 0 ? 1 : 0, rule.group_size);
  within(fmt::format("quantising the weight of '{}' in groups of {} ('group_size')", layer.name, rule.group_size),
         [&] { ops::check_groups(weight.sizes().vec(), axes); });
  return axes;
}

void require_finite(const Parameter& parameter) {
  if (parameter.value.isfinite().all().item<bool>()) return;
  throw run_error("parameter '{}' is not finite: no grid covers it", parameter.name)
      .hint("it holds NaN or infinity; train again from a healthy checkpoint");
}

bool read_as_weight(const Graph& graph, const Node& quantizer) {
  return read_by_layer(graph, quantizer, &ops::Op::weight_input);
}

bool read_as_bias(const Graph& graph, const Node& quantizer) {
  return read_by_layer(graph, quantizer, &ops::Op::bias_input);
}

ops::ValueRange weight_range(const Parameter& weight, const TensorRule& rule, ops::GridAxes axes) {
  require_finite(weight);
  const auto value = weight.value.detach();
  if (!rule.observer) return ops::value_range(value, axes);
  if (axes.axis < 0) {
    const auto range = chosen(weight.name, value, rule);
    return {value.new_full({}, range.low), value.new_full({}, range.high)};
  }
  std::vector<float> low, high;
  const auto rows = in_rows(value, axes);
  for (int64_t i = 0; i < rows.size(0); ++i) {
    const auto range = chosen(weight.name, rows.narrow(0, i, 1), rule);
    low.push_back(static_cast<float>(range.low));
    high.push_back(static_cast<float>(range.high));
  }
  Shape shape{rows.size(0)};
  if (axes.group_size > 0) shape = {value.size(axes.axis), -1};
  const auto tensor = [&](const std::vector<float>& numbers) {
    return at::tensor(numbers, at::kFloat).reshape(shape).to(value.device());
  };
  return {tensor(low), tensor(high)};
}

}  // namespace compress::quant
