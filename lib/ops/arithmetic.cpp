#include "ops/pointwise_op.h"

#include <ATen/ops/where.h>

namespace compress::ops {

namespace {

void require_divisor(const at::Tensor& b) {
  if (b.is_cpu() && b.eq(0).any().item<bool>()) throw run_error("an integer is divided by zero");
}

/// ONNX divides integers towards zero. The smallest integer over -1 wraps, as in NumPy: the processor would trap.
at::Tensor divide(const at::Tensor& a, const at::Tensor& b) {
  if (a.is_floating_point()) return a.div(b);
  require_divisor(b);
  const auto negates = b.eq(-1);
  if (!b.is_signed() || !negates.any().item<bool>()) return a.div(b, "trunc");
  return at::where(negates, a.neg(), a.div(b.masked_fill(negates, 1), "trunc"));
}

/// With fmod the sign is the dividend's, without it the divisor's.
Kernel mod_kernel(const Node& node) {
  return [as_in_c = node.attributes.integer("fmod", 0) != 0](Call& call) {
    auto a = computable(call.in(0)), b = computable(call.in(1));
    if (!b.is_floating_point()) require_divisor(b);
    if (!b.is_floating_point() && b.is_signed()) b = b.masked_fill(b.eq(-1), 1);  // no rest in both cases
    call.out() = of_type(as_in_c ? a.fmod(b) : a.remainder(b), call.in(0).scalar_type());
  };
}

/// Of the base's type, whatever the exponent's. LibTorch squares much faster than it takes the second power.
at::Tensor power(const at::Tensor& a, const at::Tensor& b) {
  const bool fixed = b.is_cpu() && b.numel() == 1 && b.dim() <= a.dim() && !b.requires_grad();
  return (fixed && a.is_floating_point() ? a.pow(b.item()) : a.pow(b)).to(a.scalar_type());
}

Op arithmetic_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&)) {
  auto op = pointwise_op(name, doc, kernel, 2);
  op.since_opset = 7;
  return op;
}

Op mod_op() {
  auto op = arithmetic_op("Mod", "rest of a / b with the sign of b (fmod: of a), broadcasting", mod_kernel);
  op.since_opset = 10;
  op.attributes = {{"fmod", AttributeSpec::Type::integer}};
  op.quantization = Quantization::none;
  return op;
}

Op pow_op() {
  auto op = arithmetic_op("Pow", "a to the power b, broadcasting", binary_kernel<power>);
  op.quantization = Quantization::none;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily arithmetic{
    {arithmetic_op("Add",
                   "a + b, broadcasting",
                   binary_kernel<[](const at::Tensor& a, const at::Tensor& b) { return a.add(b); }>),
     arithmetic_op("Sub",
                   "a - b, broadcasting",
                   binary_kernel<[](const at::Tensor& a, const at::Tensor& b) { return a.sub(b); }>),
     arithmetic_op("Mul",
                   "a * b, broadcasting",
                   binary_kernel<[](const at::Tensor& a, const at::Tensor& b) { return a.mul(b); }>),
     arithmetic_op("Div", "a / b, broadcasting; integers towards zero", binary_kernel<divide>), mod_op(), pow_op()}};
}

}  // namespace compress::ops
