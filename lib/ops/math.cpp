#include "ops/pointwise_op.h"

#include <ATen/ops/where.h>

namespace compress::ops {

namespace {

/// Of what is not a number there is no sign.
at::Tensor sign_of(const at::Tensor& x) {
  return x.is_floating_point() ? at::where(x.isnan(), x, x.sign()) : x.sign();
}

/// Its results spread over many orders of magnitude: no grid of integers holds them.
Op wide_range_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&)) {
  auto op = pointwise_op(name, doc, kernel);
  op.quantization = Quantization::none;
  return op;
}

Op since(int opset, Op op) {
  op.since_opset = opset;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily math{
    {pointwise_op("Abs", "absolute value", unary_kernel<[](const at::Tensor& x) { return x.abs(); }>),
     pointwise_op("Neg", "-x", unary_kernel<[](const at::Tensor& x) { return x.neg(); }>),
     since(9, pointwise_op("Erf", "error function", unary_kernel<[](const at::Tensor& x) { return x.erf(); }>)),
     wide_range_op("Exp", "e to the power x", unary_kernel<[](const at::Tensor& x) { return x.exp(); }>),
     wide_range_op("Log", "natural logarithm", unary_kernel<[](const at::Tensor& x) { return x.log(); }>),
     wide_range_op("Sqrt", "square root", unary_kernel<[](const at::Tensor& x) { return x.sqrt(); }>),
     wide_range_op("Reciprocal", "1 / x", unary_kernel<[](const at::Tensor& x) { return x.reciprocal(); }>),
     stepwise_op("Floor", "largest integer not above x", unary_kernel<[](const at::Tensor& x) { return x.floor(); }>),
     stepwise_op("Ceil", "smallest integer not below x", unary_kernel<[](const at::Tensor& x) { return x.ceil(); }>),
     since(11,
           stepwise_op("Round",
                       "nearest integer, halves to the even one",
                       unary_kernel<[](const at::Tensor& x) { return x.round(); }>)),
     since(9, stepwise_op("Sign", "-1, 0 or 1", unary_kernel<sign_of>))}};
}

}  // namespace compress::ops
