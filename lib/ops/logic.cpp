#include "ops/pointwise_op.h"

namespace compress::ops {

namespace {

Op logic_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&)) {
  auto op = stepwise_op(name, doc, kernel, 2);
  op.since_opset = 7;
  op.infer = infer_truth;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily logic{
    {logic_op("And",
              "a and b, broadcasting",
              binary_kernel<[](const at::Tensor& a, const at::Tensor& b) { return a.logical_and(b); }>),
     logic_op("Or",
              "a or b, broadcasting",
              binary_kernel<[](const at::Tensor& a, const at::Tensor& b) { return a.logical_or(b); }>),
     logic_op("Xor",
              "either a or b, broadcasting",
              binary_kernel<[](const at::Tensor& a, const at::Tensor& b) { return a.logical_xor(b); }>),
     stepwise_op("Not", "not x", unary_kernel<[](const at::Tensor& x) { return x.logical_not(); }>)}};
}

}  // namespace compress::ops
