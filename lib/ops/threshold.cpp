#include "ops/pointwise_op.h"

#include <ATen/ops/where.h>

/// Activations that compare with a limit, and Softsign.
namespace compress::ops {

namespace {

/// What is not a number stays so.
Kernel thresholded_relu_kernel(const Node& node) {
  return [alpha = node.attributes.number("alpha", 1)](Call& call) {
    call.out() = call.in(0).masked_fill(call.in(0).le(alpha), 0);
  };
}

Kernel shrink_kernel(const Node& node) {
  return [limit = node.attributes.number("lambd", 0.5), bias = node.attributes.number("bias", 0)](Call& call) {
    const auto x = computable(call.in(0));
    const auto moved = at::where(x.lt(0), x.add(bias), x.sub(bias));
    const auto inside = x.ge(-limit).logical_and(x.le(limit));
    call.out() = moved.masked_fill(inside, 0).to(call.in(0).scalar_type());
  };
}

Op thresholded_relu_op() {
  auto op = pointwise_op("ThresholdedRelu", "x where it is above alpha, else 0", thresholded_relu_kernel);
  op.since_opset = 10;
  op.attributes = {{"alpha", AttributeSpec::Type::number}};
  return op;
}

Op shrink_op() {
  auto op = pointwise_op("Shrink", "0 within [-lambd, lambd], outside x moved by bias towards 0", shrink_kernel);
  op.since_opset = 9;
  op.attributes = {{"bias", AttributeSpec::Type::number}, {"lambd", AttributeSpec::Type::number}};
  return op;
}

}  // namespace

namespace families {
extern const OpFamily threshold{
    {thresholded_relu_op(), shrink_op(),
     pointwise_op(
         "Softsign", "x / (1 + abs(x))", unary_kernel<[](const at::Tensor& x) { return x.div(x.abs().add(1)); }>)}};
}

}  // namespace compress::ops
