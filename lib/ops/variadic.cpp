#include "ops/pointwise_op.h"

/// The operators of any number of inputs.
namespace compress::ops {

namespace {

using Combine = at::Tensor (*)(const at::Tensor&, const at::Tensor&);

template <Combine combine>
at::Tensor combined(const Call& call) {
  auto result = computable(call.in(0));
  for (size_t i = 1; i < call.inputs.size(); ++i) result = combine(result, computable(call.in(i)));
  return of_type(result, call.in(0).scalar_type());
}

template <Combine combine>
Kernel variadic_kernel(const Node&) {
  return [](Call& call) { call.out() = combined<combine>(call); };
}

at::Tensor larger(const at::Tensor& a, const at::Tensor& b) {
  return a.maximum(b);
}
at::Tensor smaller(const at::Tensor& a, const at::Tensor& b) {
  return a.minimum(b);
}
at::Tensor both(const at::Tensor& a, const at::Tensor& b) {
  return a.add(b);
}

Kernel mean_of_inputs_kernel(const Node&) {
  return [](Call& call) { call.out() = combined<both>(call).div(static_cast<double>(call.inputs.size())); };
}

Op variadic_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&)) {
  auto op = pointwise_op(name, doc, kernel, -1);
  op.since_opset = 6;  // since opset 8 with broadcasting
  return op;
}

}  // namespace

namespace families {
extern const OpFamily variadic{
    {variadic_op("Max", "largest of the inputs, element by element, broadcasting", variadic_kernel<larger>),
     variadic_op("Min", "smallest of the inputs, element by element, broadcasting", variadic_kernel<smaller>),
     variadic_op("Sum", "sum of the inputs, broadcasting", variadic_kernel<both>),
     variadic_op("Mean", "mean of the inputs, broadcasting", mean_of_inputs_kernel)}};
}

}  // namespace compress::ops
