#include "io/constant_operators.h"

#include "core/error.h"
#include "core/text.h"
#include "exec/plan.h"
#include "io/onnx_tensor.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

namespace compress::io {
namespace {

using Inputs = std::span<const at::Tensor>;

constexpr int64_t kLargestNewConstant = int64_t{1} << 24;

at::Tensor constant_of_shape(const DraftNode& node, Inputs inputs) {
  const auto sizes = integers_of(inputs[0]);
  check_constant_size(node, sizes, inputs);
  const auto value = node.tensors.find("value");
  if (value == node.tensors.end()) return at::full(sizes, 0, at::TensorOptions(at::kFloat));
  if (value->second.numel() != 1) throw request_error("{}: the value must be one number", node.str());
  return at::full(sizes, value->second.item(), at::TensorOptions(value->second.scalar_type()));
}

/// Counts the numbers before any is made.
at::Tensor range(const DraftNode& node, Inputs inputs) {
  for (const auto& input : inputs)
    if (input.numel() != 1) throw request_error("{} counts with an input that is not one number", node.str());
  const auto start = inputs[0].item<double>(), limit = inputs[1].item<double>(), delta = inputs[2].item<double>();
  if (delta == 0 || !(std::ceil((limit - start) / delta) < static_cast<double>(kLargestNewConstant)))
    throw request_error("{} counts from {} to {} in steps of {}", node.str(), start, limit, delta);
  const Node counting{.name = node.outputs.front(), .op = "Range", .inputs = {"start", "limit", "delta"}};
  return exec::run_node(counting, inputs.first(3)).at(0);
}

struct Named {
  std::string_view op;
  size_t inputs;
  ConstantOperator run;
};

constexpr Named kOperators[] = {{"ConstantOfShape", 1, constant_of_shape}, {"Range", 3, range}};

}  // namespace

ConstantOperator find_constant_operator(std::string_view op) {
  for (const auto& entry : kOperators)
    if (entry.op == op)
      return [](const DraftNode& node, Inputs inputs) {
        const auto& found = *std::ranges::find(kOperators, std::string_view(node.op), &Named::op);
        require_inputs(node, inputs, found.inputs);
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
