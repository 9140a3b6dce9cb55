#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>

namespace compress::ops {

namespace {

using SoftmaxFunction = at::Tensor (*)(const at::Tensor&, int64_t axis);

template <SoftmaxFunction function>
Kernel softmax_kernel(const Node& node) {
  return [axis = node.attributes.integer("axis", -1)](Call& call) { call.out() = function(call.in(0), axis); };
}

at::Tensor softmax_of(const at::Tensor& x, int64_t axis) {
  return x.softmax(axis);
}
at::Tensor log_softmax_of(const at::Tensor& x, int64_t axis) {
  return x.log_softmax(axis);
}
/// The first of several maxima.
at::Tensor hardmax_of(const at::Tensor& x, int64_t axis) {
  if (x.numel() == 0) return x;
  return x.new_zeros(x.sizes()).scatter(axis, x.argmax(axis, true), 1);
}

std::vector<ValueInfo> softmax_infer(const InferCall& call) {
  axis_of(call.node.attributes.integer("axis", -1), std::ssize(call.shape(0)));
  return {call.in(0)};
}

void softmax_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto axis = axis_of(flow.node().attributes.integer("axis", -1), std::ssize(flow.shape(0)));
  flow.block(flow.axis(0, axis), "each channel depends on all");
  flow.set_output(flow.map(0));
}

Op softmax_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&)) {
  return {.name = name,
          .doc = doc,
          .since_opset = 13,
          .attributes = {{"axis", AttributeSpec::Type::integer}},
          .kernel = kernel,
          .gradient = Gradient::yes,
          .infer = softmax_infer,
          .macs = no_macs,
          .channels = softmax_channels,
          .resize = keep_attributes,
          .quantization = Quantization::arithmetic};
}

Op hardmax_op() {
  auto op = softmax_op("Hardmax", "1 at the first maximum along an axis, else 0", softmax_kernel<hardmax_of>);
  op.gradient = Gradient::none;
  op.quantization = Quantization::none;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily softmax{
    {softmax_op("Softmax", "exp(x) divided by its sum over an axis", softmax_kernel<softmax_of>),
     softmax_op("LogSoftmax", "logarithm of Softmax", softmax_kernel<log_softmax_of>), hardmax_op()}};
}

}  // namespace compress::ops
