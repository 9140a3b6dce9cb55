#pragma once

#include "io/draft.h"

#include <ATen/core/Tensor.h>

#include <span>
#include <string_view>

namespace compress::io {

/// Computes an ONNX operator on known tensors, at import: those whose result's size follows from numbers or that have a
/// tensor for an attribute. The operator table's kernels compute all others.
using ConstantOperator = at::Tensor (*)(const DraftNode& node, std::span<const at::Tensor> inputs);

/// Null when the operator is none of them.
ConstantOperator find_constant_operator(std::string_view op);

/// Throws a request error when a constant of these sizes is absurd: much larger than what it is made of.
void check_constant_size(const DraftNode& node, at::IntArrayRef sizes, std::span<const at::Tensor> inputs);

/// Throws a request error unless the node has `least` inputs that are present.
void require_inputs(const DraftNode& node, std::span<const at::Tensor> inputs, size_t least);

/// Whole numbers of a tensor, as a list.
std::vector<int64_t> integers_of(const at::Tensor& tensor);
at::Tensor integer_list(const std::vector<int64_t>& values);
at::Tensor number_list(const std::vector<double>& values);  ///< 64-bit

}  // namespace compress::io
