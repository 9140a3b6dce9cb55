#include "passes/linear_layer.h"

#include "ops/conv.h"

#include <array>

namespace compress::passes {

namespace {

bool is_transposed(const Node& node) {
  return node.op == "ConvTranspose";
}

bool is_convolution(const Node& node) {
  return node.op == "Conv" || node.op == "ConvBatchNormalization" || is_transposed(node);
}

at::Tensor transposed_convolution(const Node& node, const at::Tensor& x, const at::Tensor& weight) {
  const std::array inputs{&x, &weight};
  at::Tensor output;
  ops::Call call{.inputs = inputs, .outputs = std::span(&output, 1)};
  ops::op_of(node).kernel(node)(call);
  return output;
}

/// Gemm may hold its weight as [out, in], MatMul has it as [in, out]; the result is [in, out].
at::Tensor input_by_output(const Node& node, const at::Tensor& weight) {
  return node.attributes.integer("transB", 0) != 0 ? weight.t() : weight;
}

}  // namespace

bool is_linear_layer(const Node& node) {
  if (node.op == "Gemm") return node.attributes.integer("transA", 0) == 0;
  return is_convolution(node) || node.op == "MatMul";
}

at::Tensor linear_part(const Node& node, const at::Tensor& x, const at::Tensor& weight) {
  if (is_transposed(node)) return transposed_convolution(node, x, weight);
  if (is_convolution(node)) return ops::convolution_of(node)(x, weight, {});
  const at::Tensor product = x.matmul(input_by_output(node, weight));
  return node.op == "Gemm" ? product.mul(node.attributes.number("alpha", 1)) : product;
}

size_t channel_axis(const Node& node, size_t rank) {
  return is_convolution(node) ? 1 : rank - 1;
}

at::Tensor reads(const Node& node, int64_t inputs, const at::Tensor& weight) {
  const at::Tensor used = weight.detach().ne(0);
  if (!is_convolution(node)) return input_by_output(node, used).contiguous();
  const int64_t groups = node.attributes.integer("group", 1);
  at::Tensor kernels = used.dim() > 2 ? used.flatten(2).any(2)
                                      : used;  // [outputs, inputs per group], transposed [inputs, outputs per group]
  const int64_t group_inputs = inputs / groups;
  const int64_t group_outputs = is_transposed(node) ? kernels.size(1) : kernels.size(0) / groups;
  if (!is_transposed(node))
    kernels = kernels.view({groups, group_outputs, group_inputs}).transpose(1, 2).reshape({inputs, group_outputs});
  if (groups == 1) return kernels.contiguous();
  at::Tensor result = kernels.new_zeros({inputs, groups * group_outputs});
  for (int64_t g = 0; g < groups; ++g)
    result.narrow(0, g * group_inputs, group_inputs)
        .narrow(1, g * group_outputs, group_outputs)
        .copy_(kernels.narrow(0, g * group_inputs, group_inputs));
  return result;
}

}  // namespace compress::passes
