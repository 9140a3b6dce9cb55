#include "passes/linear_layer.h"

#include "ops/conv.h"

namespace compress::passes {

namespace {

bool is_convolution(const Node& node) {
  return node.op == "Conv" || node.op == "ConvBatchNormalization";
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
  const at::Tensor kernels = used.flatten(2).any(2);  // [outputs, inputs per group]
  if (groups == 1) return kernels.t().contiguous();
  const int64_t group_inputs = inputs / groups, group_outputs = kernels.size(0) / groups;
  at::Tensor result = kernels.new_zeros({inputs, kernels.size(0)});
  for (int64_t g = 0; g < groups; ++g)
    result.narrow(0, g * group_inputs, group_inputs)
        .narrow(1, g * group_outputs, group_outputs)
        .copy_(kernels.narrow(0, g * group_outputs, group_outputs).t());
  return result;
}

}  // namespace compress::passes
