#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

/// The operators that make values out of attributes; import folds those whose inputs are constants.
namespace compress::ops {

namespace {

at::Tensor constant_value(const Attributes& attributes) {
  if (attributes.has("value_int")) return at::scalar_tensor(attributes.integer("value_int", 0), at::kLong);
  if (attributes.has("value_ints")) return at::tensor(attributes.integers("value_ints", {}), at::kLong);
  if (attributes.has("value_float")) return at::scalar_tensor(attributes.number("value_float", 0), at::kFloat);
  if (attributes.has("value_floats")) return at::tensor(attributes.numbers("value_floats", {}), at::kFloat);
  throw request_error("a Constant needs value_int, value_ints, value_float or value_floats")
      .hint("a tensor becomes a parameter at import");
}

Kernel constant_kernel(const Node& node) {
  return [value = constant_value(node.attributes)](Call& call) { call.out() = value; };
}

std::vector<ValueInfo> constant_infer(const InferCall& call) {
  const auto value = constant_value(call.node.attributes);
  return {{.shape = shape_of(value), .type = value.scalar_type()}};
}

at::ScalarType filled_type(const Node& node) {
  return element_type(node.attributes.integer("dtype", 1));
}

Kernel filled_kernel(const Node& node) {
  return [shape = node.attributes.integers("shape", {}), value = node.attributes.number("value", 0),
          type = filled_type(node)](Call& call) { call.out() = at::full(shape, value, at::TensorOptions(type)); };
}

std::vector<ValueInfo> filled_infer(const InferCall& call) {
  return {{.shape = call.node.attributes.integers("shape", {}), .type = filled_type(call.node)}};
}

/// ceil((limit - start) / delta) numbers; none when limit lies on the other side.
Kernel range_kernel(const Node&) {
  return [](Call& call) {
    const auto start = call.in(0).item(), limit = call.in(1).item(), delta = call.in(2).item();
    if (delta.toDouble() == 0) throw run_error("counts in steps of 0");
    const bool empty = (limit.toDouble() - start.toDouble()) / delta.toDouble() <= 0;
    call.out() = at::arange(start, empty ? start : limit, delta, at::TensorOptions(call.in(0).scalar_type()));
  };
}

std::vector<ValueInfo> range_infer(const InferCall&) {
  throw request_error("the size of its output depends on data")
      .hint("import folds a Range of constants; this one must be computed from the input's values");
}

at::ScalarType eye_type(const Node& node, at::ScalarType otherwise) {
  return node.attributes.has("dtype") ? filled_type(node) : otherwise;
}

Kernel eye_like_kernel(const Node& node) {
  return [node, k = node.attributes.integer("k", 0)](Call& call) {
    const auto& x = call.in(0);
    auto result = at::zeros(x.sizes(), x.options().dtype(eye_type(node, x.scalar_type())));
    if (-x.size(0) < k && k < x.size(1)) result.diagonal(k).fill_(1);
    call.out() = result;
  };
}

std::vector<ValueInfo> eye_like_infer(const InferCall& call) {
  if (call.shape(0).size() != 2)
    throw request_error("the input has shape {}, but a matrix is needed", shape_text(call.shape(0)));
  return {{.shape = call.shape(0), .type = eye_type(call.node, call.in(0).type)}};
}

void no_channels(ChannelFlow&) {}

Op constant_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&), Infer infer) {
  return {.name = name,
          .doc = doc,
          .min_inputs = 0,
          .max_inputs = 0,
          .kernel = kernel,
          .gradient = Gradient::none,
          .infer = infer,
          .macs = no_macs,
          .channels = no_channels,
          .resize = keep_attributes,
          .quantization = Quantization::none};
}

Op plain_constant_op() {
  using enum AttributeSpec::Type;
  auto op = constant_op("Constant", "a number or list", constant_kernel, constant_infer);
  op.attributes = {
      {"value_float", number}, {"value_floats", numbers}, {"value_int", integer}, {"value_ints", integers}};
  return op;
}

Op filled_op() {
  using enum AttributeSpec::Type;
  auto op = constant_op("ConstantOfShape", "a tensor filled with `value` of ONNX element type `dtype`", filled_kernel,
                        filled_infer);
  op.since_opset = 9;
  op.attributes = {{"dtype", integer}, {"shape", integers, true}, {"value", number}};
  op.constant_inputs = {{.index = 0, .attribute = "shape", .since_opset = 9}};
  return op;
}

Op range_op() {
  auto op = constant_op("Range", "start, start + delta, ... below limit", range_kernel, range_infer);
  op.min_inputs = op.max_inputs = 3;
  op.since_opset = 11;
  op.channels = blocked;
  return op;
}

Op eye_like_op() {
  using enum AttributeSpec::Type;
  auto op = constant_op("EyeLike", "ones on the k-th diagonal of a matrix of the input's shape", eye_like_kernel,
                        eye_like_infer);
  op.min_inputs = op.max_inputs = 1;
  op.since_opset = 9;
  op.attributes = {{"dtype", integer}, {"k", integer}};
  op.channels = blocked;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily constant{{plain_constant_op(), filled_op(), range_op(), eye_like_op()}};
}

}  // namespace compress::ops
