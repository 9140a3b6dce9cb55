#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/where.h>

namespace compress::ops {

namespace {

Kernel floor_kernel(const Node&) {
  return [](Call& call) { call.out() = call.in(0).floor(); };
}
Kernel sqrt_kernel(const Node&) {
  return [](Call& call) { call.out() = call.in(0).sqrt(); };
}
Kernel pow_kernel(const Node&) {
  return [](Call& call) { call.out() = call.in(0).pow(call.in(1)).to(call.in(0).scalar_type()); };
}
Kernel equal_kernel(const Node&) {
  return [](Call& call) { call.out() = call.in(0).eq(call.in(1)); };
}
Kernel where_kernel(const Node&) {
  return [](Call& call) { call.out() = at::where(call.in(0), call.in(1), call.in(2)); };
}

std::vector<ValueInfo> equal_infer(const InferCall& call) {
  auto infos = infer_broadcast(call);
  infos[0].type = at::kBool;
  return infos;
}

std::vector<ValueInfo> where_infer(const InferCall& call) {
  auto infos = infer_broadcast(call);
  infos[0].type = call.in(1).type;
  return infos;
}

Op elementwise_op(std::string_view name, std::string_view doc, int inputs, Kernel (*kernel)(const Node&)) {
  return {.name = name,
          .doc = doc,
          .min_inputs = inputs,
          .max_inputs = inputs,
          .kernel = kernel,
          .gradient = Gradient::yes,
          .infer = infer_broadcast,
          .macs = no_macs,
          .channels = elementwise_channels,
          .resize = keep_attributes,
          .quantization = Quantization::none};
}

Op floor_op() {
  auto op = elementwise_op("Floor", "largest integer not above x", 1, floor_kernel);
  op.gradient = Gradient::none;
  return op;
}

Op pow_op() {
  auto op = elementwise_op("Pow", "a to the power b, broadcasting", 2, pow_kernel);
  op.since_opset = 7;
  return op;
}

Op equal_op() {
  auto op = elementwise_op("Equal", "a == b, broadcasting", 2, equal_kernel);
  op.since_opset = 7;
  op.gradient = Gradient::none;
  op.infer = equal_infer;
  return op;
}

Op where_op() {
  auto op = elementwise_op("Where", "a where the condition holds, else b", 3, where_kernel);
  op.since_opset = 9;
  op.infer = where_infer;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily elementwise{
    {floor_op(), elementwise_op("Sqrt", "square root", 1, sqrt_kernel), pow_op(), equal_op(), where_op()}};
}

}  // namespace compress::ops
