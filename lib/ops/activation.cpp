#include "ops/pointwise_op.h"

#include <ATen/ops/_prelu_kernel.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/leaky_relu.h>

namespace compress::ops {

namespace {

Kernel leaky_relu_kernel(const Node& node) {
  return
      [slope = node.attributes.number("alpha", 0.01)](Call& call) { call.out() = at::leaky_relu(call.in(0), slope); };
}

/// The slope is broadcast from the last axis, as ONNX says: [C,1,1] is one slope per channel.
Kernel prelu_kernel(const Node&) {
  return [](Call& call) { call.out() = at::_prelu_kernel(call.in(0), call.in(1)); };
}

Kernel hard_sigmoid_kernel(const Node& node) {
  return [alpha = node.attributes.number("alpha", 0.2), beta = node.attributes.number("beta", 0.5)](Call& call) {
    call.out() = call.in(0).mul(alpha).add(beta).clamp(0, 1);
  };
}

std::optional<at::Scalar> bound(const Node& node, std::string_view name) {
  if (!node.attributes.has(name)) return std::nullopt;
  return at::Scalar(node.attributes.number(name, 0));
}

Kernel clip_kernel(const Node& node) {
  const auto low = bound(node, "min"), high = bound(node, "max");
  if (!low && !high) return [](Call& call) { call.out() = call.in(0); };
  return [low, high](Call& call) {
    const auto& x = call.in(0);
    const auto as_input = [&](std::optional<at::Scalar> value) {
      return value && !x.is_floating_point() ? at::Scalar(value->toLong()) : value;
    };
    call.out() = x.clamp(as_input(low), as_input(high));
  };
}

std::vector<ValueInfo> prelu_infer(const InferCall& call) {
  if (broadcast(call.shape(0), call.shape(1)) != call.shape(0))
    throw request_error("the slope has more elements than the input can take");
  return {call.in(0)};
}

std::optional<FusedActivation> fused_clip(const Node& node) {
  if (!node.attributes.has("min") || !node.attributes.has("max")) return std::nullopt;
  return FusedActivation{"hardtanh", {node.attributes.number("min", 0), node.attributes.number("max", 0)}};
}

std::optional<FusedActivation> fused_leaky_relu(const Node& node) {
  return FusedActivation{"leaky_relu", {node.attributes.number("alpha", 0.01)}};
}

std::optional<FusedActivation> fused_relu(const Node&) {
  return FusedActivation{"relu", {}};
}
std::optional<FusedActivation> fused_sigmoid(const Node&) {
  return FusedActivation{"sigmoid", {}};
}
std::optional<FusedActivation> fused_tanh(const Node&) {
  return FusedActivation{"tanh", {}};
}
std::optional<FusedActivation> fused_hard_swish(const Node&) {
  return FusedActivation{"hardswish", {}};
}

Op relu_op() {
  auto op = pointwise_op("Relu", "max(x, 0)", unary_kernel<[](const at::Tensor& x) { return x.relu(); }>);
  op.quantization = Quantization::activation;
  op.fused = fused_relu;
  return op;
}

Op leaky_relu_op() {
  auto op = pointwise_op("LeakyRelu", "x, or alpha * x where x < 0", leaky_relu_kernel);
  op.attributes = {{"alpha", AttributeSpec::Type::number}};
  op.fused = fused_leaky_relu;
  return op;
}

Op prelu_op() {
  auto op = pointwise_op("PRelu", "x, or slope * x where x < 0; the slope is learnt", prelu_kernel);
  op.min_inputs = op.max_inputs = 2;
  op.since_opset = 9;
  op.infer = prelu_infer;
  op.channels = elementwise_channels;
  return op;
}

Op clip_op() {
  auto op = pointwise_op("Clip", "x limited to [min, max]", clip_kernel);
  op.attributes = {{"max", AttributeSpec::Type::number}, {"min", AttributeSpec::Type::number}};
  op.since_opset = 6;
  op.constant_inputs = {{.index = 1, .attribute = "min", .since_opset = 11, .scalar = true, .like_first_input = true},
                        {.index = 2, .attribute = "max", .since_opset = 11, .scalar = true, .like_first_input = true}};
  op.quantization = Quantization::activation;
  op.fused = fused_clip;
  return op;
}

Op sigmoid_op() {
  auto op = pointwise_op("Sigmoid", "1 / (1 + exp(-x))", unary_kernel<[](const at::Tensor& x) { return x.sigmoid(); }>);
  op.fused = fused_sigmoid;
  return op;
}

Op hard_sigmoid_op() {
  auto op = pointwise_op("HardSigmoid", "alpha * x + beta limited to [0, 1]", hard_sigmoid_kernel);
  op.attributes = {{"alpha", AttributeSpec::Type::number}, {"beta", AttributeSpec::Type::number}};
  return op;
}

Op hard_swish_op() {
  auto op = pointwise_op("HardSwish", "x * HardSigmoid(x) with alpha 1/6",
                         unary_kernel<[](const at::Tensor& x) { return at::hardswish(x); }>);
  op.since_opset = 14;
  op.fused = fused_hard_swish;
  return op;
}

Op tanh_op() {
  auto op = pointwise_op("Tanh", "hyperbolic tangent", unary_kernel<[](const at::Tensor& x) { return x.tanh(); }>);
  op.fused = fused_tanh;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily activation{
    {relu_op(), leaky_relu_op(), prelu_op(), clip_op(), sigmoid_op(), hard_sigmoid_op(), hard_swish_op(), tanh_op()}};
}

}  // namespace compress::ops
