#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

/// The operators that ask for a value's shape. Import follows them without the value, since shapes are known.
namespace compress::ops {

namespace {

/// The axes from `start` to `end` of a value, as Shape lists them.
Shape listed_sizes(const Node& node, const Shape& shape) {
  const auto rank = std::ssize(shape);
  const auto position = [&](std::string_view name, int64_t otherwise) {
    const auto at = node.attributes.integer(name, otherwise);
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const auto start = position("start", 0), end = std::max(start, position("end", rank));
  return {shape.begin() + start, shape.begin() + end};
}

Kernel shape_kernel(const Node& node) {
  return [node](Call& call) { call.out() = at::tensor(listed_sizes(node, shape_of(call.in(0))), at::kLong); };
}

std::vector<ValueInfo> shape_infer(const InferCall& call) {
  return {{.shape = {std::ssize(listed_sizes(call.node, call.shape(0)))}, .type = at::kLong}};
}

Kernel size_kernel(const Node&) {
  return [](Call& call) { call.out() = at::scalar_tensor(call.in(0).numel(), at::kLong); };
}

std::vector<ValueInfo> size_infer(const InferCall&) {
  return {{.shape = {}, .type = at::kLong}};
}

Op sizes_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&), Infer infer) {
  return {.name = name,
          .doc = doc,
          .kernel = kernel,
          .gradient = Gradient::none,
          .infer = infer,
          .macs = no_macs,
          .channels = blocked,
          .resize = keep_attributes,
          .quantization = Quantization::none};
}

Op shape_op() {
  auto op = sizes_op("Shape", "the sizes of a value", shape_kernel, shape_infer);
  op.attributes = {{"end", AttributeSpec::Type::integer}, {"start", AttributeSpec::Type::integer}};
  return op;
}

}  // namespace

namespace families {
extern const OpFamily sizes{{shape_op(), sizes_op("Size", "the number of elements", size_kernel, size_infer)}};
}

}  // namespace compress::ops
