#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/conv.h"
#include "ops/integer_arithmetic.h"
#include "ops/quantization_grid.h"
#include "ops/shape.h"

#include <array>

/// Convolutions of integers: exact sums, rounded once.
namespace compress::ops {

namespace {

/// One number for the whole weight, or one per output.
at::Tensor along_outputs(const at::Tensor& values, const at::Tensor& weight) {
  if (!values.defined()) return values;
  return along_axis(values, values.numel() == 1 ? -1 : 0, weight.dim());
}

Kernel conv_integer_kernel(const Node& node) {
  return [convolve = convolution_of(node)](Call& call) {
    const auto x = centred(call.in(0), call.in_or_none(2));
    const auto weight = centred(call.in(1), along_outputs(call.in_or_none(3), call.in(1)));
    call.out() = as_accumulator(convolve(x, weight, {}));
  };
}

std::vector<ValueInfo> conv_integer_infer(const InferCall& call) {
  require_bytes(call, std::array<size_t, 4>{0, 1, 2, 3});
  auto results = conv_infer({.node = call.node, .inputs = call.inputs.first(2)});
  results[0].type = at::kInt;
  return results;
}

Kernel qlinear_conv_kernel(const Node& node) {
  return [convolve = convolution_of(node)](Call& call) {
    const auto &weight = call.in(3), &scale = call.in(4);
    const auto bias = call.has(8) ? call.in(8).to(at::kDouble) : at::Tensor();
    const auto sum =
        convolve(centred(call.in(0), call.in(2)), centred(weight, along_outputs(call.in(5), weight)), bias);
    const auto multiplier = call.in(1).mul(scale).div(call.in(6));
    call.out() = requantized(sum, along_axis(multiplier, scale.numel() == 1 ? -1 : 1, sum.dim()), call.in(7));
  };
}

std::vector<ValueInfo> qlinear_conv_infer(const InferCall& call) {
  require_bytes(call, std::array<size_t, 5>{0, 2, 3, 5, 7});
  std::vector<ValueInfo> inputs{call.in(0), call.in(3)};
  if (call.has(8)) inputs.push_back(call.in(8));
  auto results = conv_infer({.node = call.node, .inputs = inputs});
  for (const size_t i : {4, 5})
    if (elements(call.shape(i)) != 1 && call.shape(i) != Shape{call.shape(3)[0]})
      throw request_error("input {} must be one number or one for each of {} outputs", i, call.shape(3)[0]);
  results[0].type = call.in(7).type;
  return results;
}

int64_t qlinear_conv_macs(const Node&, std::span<const ValueInfo> inputs, std::span<const ValueInfo> outputs) {
  return elements(outputs[0].shape) * elements(std::span(inputs[3].shape).subspan(1));
}

Op conv_integer_op() {
  return {.name = "ConvInteger",
          .doc = "convolution of 8-bit integers, 32-bit integers as result",
          .min_inputs = 2,
          .max_inputs = 4,
          .since_opset = 10,
          .attributes = conv_attributes(),
          .kernel = conv_integer_kernel,
          .gradient = Gradient::none,
          .infer = conv_integer_infer,
          .macs = conv_macs,
          .channels = blocked,
          .resize = keep_attributes,
          .quantization = Quantization::none,
          .normalize = make_pads_explicit};
}

Op qlinear_conv_op() {
  auto op = conv_integer_op();
  op.name = "QLinearConv";
  op.doc = "convolution of 8-bit integers, rounded to a grid";
  op.min_inputs = 8;
  op.max_inputs = 9;
  op.kernel = qlinear_conv_kernel;
  op.infer = qlinear_conv_infer;
  op.macs = qlinear_conv_macs;
  op.normalize = nullptr;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily integer_conv{{conv_integer_op(), qlinear_conv_op()}};
}

}  // namespace compress::ops
