#include "ops/pointwise_op.h"

namespace compress::ops {

namespace {

Op angle_op(std::string_view name, std::string_view doc, int since_opset, Kernel (*kernel)(const Node&)) {
  auto op = pointwise_op(name, doc, kernel);
  op.since_opset = since_opset;
  op.quantization = Quantization::none;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily trigonometry{
    {angle_op("Sin", "sine", 7, unary_kernel<[](const at::Tensor& x) { return x.sin(); }>),
     angle_op("Cos", "cosine", 7, unary_kernel<[](const at::Tensor& x) { return x.cos(); }>),
     angle_op("Tan", "tangent", 7, unary_kernel<[](const at::Tensor& x) { return x.tan(); }>),
     angle_op("Asin", "inverse sine", 7, unary_kernel<[](const at::Tensor& x) { return x.asin(); }>),
     angle_op("Acos", "inverse cosine", 7, unary_kernel<[](const at::Tensor& x) { return x.acos(); }>),
     angle_op("Atan", "inverse tangent", 7, unary_kernel<[](const at::Tensor& x) { return x.atan(); }>),
     angle_op("Sinh", "hyperbolic sine", 9, unary_kernel<[](const at::Tensor& x) { return x.sinh(); }>),
     angle_op("Cosh", "hyperbolic cosine", 9, unary_kernel<[](const at::Tensor& x) { return x.cosh(); }>),
     angle_op("Asinh", "inverse hyperbolic sine", 9, unary_kernel<[](const at::Tensor& x) { return x.asinh(); }>),
     angle_op("Acosh", "inverse hyperbolic cosine", 9, unary_kernel<[](const at::Tensor& x) { return x.acosh(); }>),
     angle_op("Atanh", "inverse hyperbolic tangent", 9, unary_kernel<[](const at::Tensor& x) { return x.atanh(); }>)}};
}

}  // namespace compress::ops
