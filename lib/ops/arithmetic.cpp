#include "ops/channels.h"
#include "ops/shape.h"

namespace compress::ops {

namespace {

using BinaryFunction = at::Tensor (*)(const at::Tensor&, const at::Tensor&);

template <BinaryFunction function>
Kernel binary_kernel(const Node&) {
  return [](Call& call) { call.out() = function(call.in(0), call.in(1)); };
}

at::Tensor add(const at::Tensor& a, const at::Tensor& b) {
  return a.add(b);
}
at::Tensor subtract(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b);
}
at::Tensor multiply(const at::Tensor& a, const at::Tensor& b) {
  return a.mul(b);
}

/// ONNX divides integers towards zero.
at::Tensor divide(const at::Tensor& a, const at::Tensor& b) {
  return a.is_floating_point() ? a.div(b) : a.div(b, "trunc");
}

Op arithmetic_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&)) {
  return {.name = name,
          .doc = doc,
          .min_inputs = 2,
          .max_inputs = 2,
          .since_opset = 7,
          .kernel = kernel,
          .gradient = Gradient::yes,
          .infer = infer_broadcast,
          .macs = no_macs,
          .channels = elementwise_channels,
          .resize = keep_attributes,
          .quantization = Quantization::arithmetic};
}

}  // namespace

namespace families {
extern const OpFamily arithmetic{{arithmetic_op("Add", "a + b, broadcasting", binary_kernel<add>),
                                  arithmetic_op("Sub", "a - b, broadcasting", binary_kernel<subtract>),
                                  arithmetic_op("Mul", "a * b, broadcasting", binary_kernel<multiply>),
                                  arithmetic_op("Div", "a / b, broadcasting", binary_kernel<divide>)}};
}

}  // namespace compress::ops
