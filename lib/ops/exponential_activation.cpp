#include "ops/pointwise_op.h"

#include <ATen/ops/celu.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/mish.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softplus.h>

/// The activations that are made of exponentials; softmax.cpp has those over an axis.
namespace compress::ops {

namespace {

Kernel elu_kernel(const Node& node) {
  return [alpha = node.attributes.number("alpha", 1)](Call& call) { call.out() = at::elu(call.in(0), alpha); };
}

/// ONNX's numbers are those of the self-normalising networks (Klambauer et al. 2017) in 32 bits.
Kernel selu_kernel(const Node& node) {
  return [alpha = node.attributes.number("alpha", 1.67326319217681884765625),
          gamma = node.attributes.number("gamma", 1.05070102214813232421875)](Call& call) {
    call.out() = at::elu(call.in(0), alpha, gamma);
  };
}

Kernel celu_kernel(const Node& node) {
  return [alpha = node.attributes.number("alpha", 1)](Call& call) { call.out() = at::celu(call.in(0), alpha); };
}

Kernel gelu_kernel(const Node& node) {
  return [how = node.attributes.text("approximate", "none")](Call& call) { call.out() = at::gelu(call.in(0), how); };
}

/// From 40 on, log(1 + exp(x)) is x in double precision too.
Kernel softplus_kernel(const Node&) {
  return [](Call& call) { call.out() = at::softplus(call.in(0), 1, 40); };
}

Kernel swish_kernel(const Node& node) {
  return [alpha = node.attributes.number("alpha", 1)](Call& call) {
    const auto& x = call.in(0);
    call.out() = alpha == 1 ? at::silu(x) : x.mul(x.mul(alpha).sigmoid());
  };
}

std::optional<FusedActivation> fused_gelu(const Node& node) {
  return FusedActivation{.name = "gelu", .scalars = {}, .algorithm = node.attributes.text("approximate", "none")};
}

std::optional<FusedActivation> fused_swish(const Node& node) {
  if (node.attributes.number("alpha", 1) != 1) return std::nullopt;
  return FusedActivation{"swish", {}};
}

Op scaled_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&), int since_opset) {
  auto op = pointwise_op(name, doc, kernel);
  op.since_opset = since_opset;
  op.attributes = {{"alpha", AttributeSpec::Type::number}};
  return op;
}

Op selu_op() {
  auto op = scaled_op("Selu", "gamma * x, or gamma * alpha * (exp(x) - 1) where x < 0", selu_kernel, 6);
  op.attributes.push_back({"gamma", AttributeSpec::Type::number});
  return op;
}

Op gelu_op() {
  auto op = pointwise_op("Gelu", "x times the normal distribution's share below x, exact or by tanh", gelu_kernel);
  op.since_opset = 20;
  op.attributes = {{"approximate", AttributeSpec::Type::text, false, "none|tanh"}};
  op.fused = fused_gelu;
  return op;
}

Op mish_op() {
  auto op =
      pointwise_op("Mish", "x * tanh(Softplus(x))", unary_kernel<[](const at::Tensor& x) { return at::mish(x); }>);
  op.since_opset = 18;
  return op;
}

Op swish_op() {
  auto op = scaled_op("Swish", "x * Sigmoid(alpha * x)", swish_kernel, 24);
  op.fused = fused_swish;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily exponential_activation{
    {scaled_op("Elu", "x, or alpha * (exp(x) - 1) where x < 0", elu_kernel, 6), selu_op(),
     scaled_op("Celu", "x, or alpha * (exp(x / alpha) - 1) where x < 0", celu_kernel, 12), gelu_op(), mish_op(),
     pointwise_op("Softplus", "log(1 + exp(x))", softplus_kernel), swish_op()}};
}

}  // namespace compress::ops
