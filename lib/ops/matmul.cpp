#include "core/text.h"
#include "ops/channels.h"
#include "ops/product_channels.h"
#include "ops/shape.h"

namespace compress::ops {

namespace {

Kernel matmul_kernel(const Node&) {
  return [](Call& call) { call.out() = call.in(0).matmul(call.in(1)); };
}

/// A factor with its matrix axes: a list is a row on the left and a column on the right.
Shape as_matrix(const Shape& shape, bool left) {
  if (shape.size() != 1) return shape;
  return left ? Shape{1, shape[0]} : Shape{shape[0], 1};
}

std::vector<ValueInfo> matmul_infer(const InferCall& call) {
  require_rank(call, 0, 1);
  require_rank(call, 1, 1);
  const auto a = as_matrix(call.shape(0), true), b = as_matrix(call.shape(1), false);
  if (a.back() != b[b.size() - 2])
    throw request_error("shapes {} and {} cannot be multiplied: {} columns meet {} rows", shape_text(call.shape(0)),
                        shape_text(call.shape(1)), a.back(), b[b.size() - 2]);
  auto shape = broadcast({a.begin(), a.end() - 2}, {b.begin(), b.end() - 2});
  if (call.shape(0).size() > 1) shape.push_back(a[a.size() - 2]);
  if (call.shape(1).size() > 1) shape.push_back(b.back());
  return {{.shape = std::move(shape), .type = call.in(0).type}};
}

int64_t matmul_macs(const Node&, std::span<const ValueInfo> inputs, std::span<const ValueInfo> outputs) {
  return elements(outputs[0].shape) * inputs[0].shape.back();
}

int last_axis(const Node&) {
  return 1;
}

void matmul_channels(ChannelFlow& flow) {
  product_channels(flow, matmul_axes(flow.shape(0), flow.shape(1)));
}

}  // namespace

namespace families {
extern const OpFamily matmul{
    {{.name = "MatMul",
      .doc = "matrix product over the last two axes; with a parameter [in, out] a linear layer",
      .min_inputs = 2,
      .max_inputs = 2,
      .kernel = matmul_kernel,
      .gradient = Gradient::yes,
      .infer = matmul_infer,
      .macs = matmul_macs,
      .channels = matmul_channels,
      .resize = keep_attributes,
      .quantization = Quantization::weighted,
      .weight_input = 1,
      .weight_axis = last_axis}}};
}

}  // namespace compress::ops
