#include "io/constant_operators.h"

#include "core/error.h"
#include "core/text.h"
#include "io/onnx_tensor.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cmath>

namespace compress::io {
namespace {

using Inputs = std::span<const at::Tensor>;

constexpr int64_t kLargestNewConstant = int64_t{1} << 24;

int64_t axis_of(const DraftNode& node, int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= std::max<int64_t>(rank, 1))
    throw request_error("{}: axis {} of a tensor with {} axes", node.str(), axis, rank);
  return axis < 0 ? axis + rank : axis;
}

at::Tensor cast(const DraftNode& node, Inputs inputs) {
  const auto type = scalar_type(static_cast<int>(node.attributes.integer("to", 0)));
  if (!type)
    throw request_error("{} casts to element type {}, which is not supported", node.str(),
                        node.attributes.integer("to", 0));
  return inputs[0].to(*type);
}

at::Tensor constant_of_shape(const DraftNode& node, Inputs inputs) {
  const auto sizes = integers_of(inputs[0]);
  check_constant_size(node, sizes, inputs);
  const auto value = node.tensors.find("value");
  if (value == node.tensors.end()) return at::full(sizes, 0, at::TensorOptions(at::kFloat));
  if (value->second.numel() != 1) throw request_error("{}: the value must be one number", node.str());
  return at::full(sizes, value->second.item(), at::TensorOptions(value->second.scalar_type()));
}

at::Tensor gather(const DraftNode& node, Inputs inputs) {
  const auto& data = inputs[0];
  const auto axis = axis_of(node, node.attributes.integer("axis", 0), data.dim());
  if (data.dim() == 0) throw request_error("{} gathers from a single number", node.str());
  auto indices = inputs[1].to(at::kLong).flatten();
  indices = at::where(indices < 0, indices + data.size(axis), indices);
  std::vector<int64_t> sizes(data.sizes().begin(), data.sizes().begin() + axis);
  sizes.insert(sizes.end(), inputs[1].sizes().begin(), inputs[1].sizes().end());
  sizes.insert(sizes.end(), data.sizes().begin() + axis + 1, data.sizes().end());
  check_constant_size(node, sizes, inputs);
  return data.index_select(axis, indices).reshape(sizes);
}

at::Tensor expand(const DraftNode& node, Inputs inputs) {
  auto sizes = integers_of(inputs[1]);
  const auto& data = inputs[0];
  // Both directions broadcast: a size of 1 in the request keeps the tensor's.
  if (static_cast<int64_t>(sizes.size()) < data.dim()) sizes.insert(sizes.begin(), data.dim() - sizes.size(), 1);
  for (int64_t i = 1; i <= data.dim(); ++i)
    if (auto& size = sizes[sizes.size() - i]; size == 1) size = data.size(data.dim() - i);
  check_constant_size(node, sizes, inputs);
  return data.expand(sizes).contiguous();
}

at::Tensor range(const DraftNode& node, Inputs inputs) {
  const auto start = inputs[0].item(), end = inputs[1].item(), step = inputs[2].item();
  const double count = step.toDouble() == 0 ? -1 : std::ceil((end.toDouble() - start.toDouble()) / step.toDouble());
  if (!(count < static_cast<double>(kLargestNewConstant)) || step.toDouble() == 0)
    throw request_error("{} counts from {} to {} in steps of {}", node.str(), start.toDouble(), end.toDouble(),
                        step.toDouble());
  if (count <= 0) return at::full({0}, 0, at::TensorOptions(inputs[0].scalar_type()));
  return at::arange(start, end, step, at::TensorOptions(inputs[0].scalar_type()));
}

/// The indices start, start + step, ... before end, as ONNX and numpy clamp them.
std::vector<int64_t> slice_indices(int64_t start, int64_t end, int64_t step, int64_t size) {
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  const auto clamp = [&](int64_t at) { return std::clamp(at < 0 ? at + size : at, low, high); };
  std::vector<int64_t> indices;
  const auto stop = clamp(end);
  for (int64_t i = clamp(start); step > 0 ? i < stop : i > stop;) {
    indices.push_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return indices;
}

at::Tensor slice(const DraftNode& node, Inputs inputs) {
  const auto list = [&](size_t i, const char* attribute) {
    return i < inputs.size() && inputs[i].defined() ? integers_of(inputs[i]) : node.attributes.integers(attribute, {});
  };
  const auto starts = list(1, "starts"), ends = list(2, "ends");
  auto axes = list(3, "axes"), steps = list(4, "steps");
  for (size_t i = axes.size(); i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  steps.resize(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size())
    throw request_error("{}: starts, ends and axes differ in number", node.str());
  auto result = inputs[0];
  for (size_t i = 0; i < starts.size(); ++i) {
    if (steps[i] == 0) throw request_error("{} has a step of 0", node.str());
    const auto axis = axis_of(node, axes[i], result.dim());
    if (result.dim() == 0) throw request_error("{} slices a single number", node.str());
    result = result.index_select(axis, integer_list(slice_indices(starts[i], ends[i], steps[i], result.size(axis))));
  }
  return result;
}

/// ONNX's division of whole numbers drops the rest.
at::Tensor divide(const DraftNode& node, Inputs inputs) {
  if (at::isFloatingType(inputs[0].scalar_type())) return inputs[0] / inputs[1];
  if (inputs[1].eq(0).any().item<bool>()) throw request_error("{} divides by zero", node.str());
  return inputs[0].div(inputs[1], "trunc");
}

at::Tensor modulo(const DraftNode& node, Inputs inputs) {
  if (inputs[1].eq(0).any().item<bool>()) throw request_error("{} divides by zero", node.str());
  return node.attributes.integer("fmod", 0) != 0 ? inputs[0].fmod(inputs[1]) : inputs[0].remainder(inputs[1]);
}

at::Tensor reduce_product(const DraftNode& node, Inputs inputs) {
  const auto axes =
      inputs.size() > 1 && inputs[1].defined() ? integers_of(inputs[1]) : node.attributes.integers("axes", {});
  const bool keep = node.attributes.integer("keepdims", 1) != 0;
  auto result = inputs[0];
  if (axes.empty()) return keep ? result.prod().reshape(std::vector<int64_t>(result.dim(), 1)) : result.prod();
  if (axes.size() > 1) throw request_error("{} multiplies over several axes, which is not supported", node.str());
  return result.prod(axis_of(node, axes[0], result.dim()), keep).to(result.scalar_type());
}

/// No broadcasting of the inputs is larger than this.
std::vector<int64_t> broadcast_bound(Inputs inputs) {
  std::vector<int64_t> bound;
  for (const auto& input : inputs) {
    if (static_cast<int64_t>(bound.size()) < input.dim()) bound.insert(bound.begin(), input.dim() - bound.size(), 1);
    for (int64_t i = 1; i <= input.dim(); ++i)
      bound[bound.size() - i] = std::max(bound[bound.size() - i], input.size(input.dim() - i));
  }
  return bound;
}

struct Named {
  std::string_view op;
  size_t inputs;
  ConstantOperator run;
  bool broadcasts = false;
};

constexpr Named kOperators[] = {
    {"Abs", 1, [](const DraftNode&, Inputs in) { return in[0].abs(); }},
    {"And", 2, [](const DraftNode&, Inputs in) { return in[0].logical_and(in[1]); }, true},
    {"Cast", 1, cast},
    {"Ceil", 1, [](const DraftNode&, Inputs in) { return in[0].ceil(); }},
    {"ConstantOfShape", 1, constant_of_shape},
    {"Div", 2, divide, true},
    {"Equal", 2, [](const DraftNode&, Inputs in) { return in[0].eq(in[1]); }, true},
    {"Exp", 1, [](const DraftNode&, Inputs in) { return in[0].exp(); }},
    {"Expand", 2, expand},
    {"Floor", 1, [](const DraftNode&, Inputs in) { return in[0].floor(); }},
    {"Gather", 2, gather},
    {"Greater", 2, [](const DraftNode&, Inputs in) { return in[0].gt(in[1]); }, true},
    {"Less", 2, [](const DraftNode&, Inputs in) { return in[0].lt(in[1]); }, true},
    {"Max", 2, [](const DraftNode&, Inputs in) { return in[0].maximum(in[1]); }, true},
    {"Min", 2, [](const DraftNode&, Inputs in) { return in[0].minimum(in[1]); }, true},
    {"Mod", 2, modulo, true},
    {"Neg", 1, [](const DraftNode&, Inputs in) { return in[0].neg(); }},
    {"Not", 1, [](const DraftNode&, Inputs in) { return in[0].logical_not(); }},
    {"Or", 2, [](const DraftNode&, Inputs in) { return in[0].logical_or(in[1]); }, true},
    {"Pow", 2, [](const DraftNode&, Inputs in) { return in[0].pow(in[1]).to(in[0].scalar_type()); }, true},
    {"Range", 3, range},
    {"ReduceProd", 1, reduce_product},
    {"Slice", 1, slice},
    {"Sqrt", 1, [](const DraftNode&, Inputs in) { return in[0].sqrt(); }},
    {"Where", 3, [](const DraftNode&, Inputs in) { return at::where(in[0].to(at::kBool), in[1], in[2]); }, true},
};

}  // namespace

ConstantOperator find_constant_operator(std::string_view op) {
  for (const auto& entry : kOperators)
    if (entry.op == op)
      return [](const DraftNode& node, Inputs inputs) {
        const auto& found = *std::ranges::find(kOperators, std::string_view(node.op), &Named::op);
        require_inputs(node, inputs, found.inputs);
        if (found.broadcasts) check_constant_size(node, broadcast_bound(inputs), inputs);
        return found.run(node, inputs);
      };
  return nullptr;
}

void require_inputs(const DraftNode& node, Inputs inputs, size_t least) {
  for (size_t i = 0; i < least; ++i)
    if (i >= inputs.size() || !inputs[i].defined()) throw request_error("{} lacks input {}", node.str(), i);
}

void check_constant_size(const DraftNode& node, at::IntArrayRef sizes, Inputs inputs) {
  int64_t present = kLargestNewConstant;
  for (const auto& input : inputs)
    if (input.defined()) present = std::max(present, input.numel());
  const auto count = element_count(sizes);
  if (!count || *count > present)
    throw request_error("{} makes a constant of the absurd size {}", node.str(), shape_text(sizes));
}

std::vector<int64_t> integers_of(const at::Tensor& tensor) {
  const auto flat = tensor.to(at::kLong).flatten().contiguous();
  return {flat.const_data_ptr<int64_t>(), flat.const_data_ptr<int64_t>() + flat.numel()};
}

at::Tensor integer_list(const std::vector<int64_t>& values) {
  return at::tensor(values, at::TensorOptions(at::kLong));
}

at::Tensor number_list(const std::vector<double>& values) {
  return at::tensor(values, at::TensorOptions(at::kDouble));
}

}  // namespace compress::io
