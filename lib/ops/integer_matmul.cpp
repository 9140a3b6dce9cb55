#include "core/text.h"
#include "ops/channels.h"
#include "ops/integer_arithmetic.h"
#include "ops/shape.h"

#include <ATen/ops/matmul.h>

#include <array>

/// Matrix products of integers: exact sums, rounded once.
namespace compress::ops {

namespace {

/// Scales and zero points of the left matrix: one number, one per row [M], or with all axes.
at::Tensor along_rows(const at::Tensor& values) {
  return values.defined() && values.dim() == 1 && values.numel() > 1 ? values.unsqueeze(-1) : values;
}

Kernel matmul_integer_kernel(const Node&) {
  return [](Call& call) {
    const auto a = centred(call.in(0), along_rows(call.in_or_none(2))), b = centred(call.in(1), call.in_or_none(3));
    call.out() = as_accumulator(at::matmul(a, b));
  };
}

/// NumPy's rule for products of stacks of matrices.
Shape product_shape(const Shape& left, const Shape& right) {
  auto a = left, b = right;
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  if (a.empty() || b.empty() || a.back() != b[b.size() - 2])
    throw request_error("matrices of shapes {} and {} cannot be multiplied", shape_text(left), shape_text(right));
  auto shape = broadcast({a.begin(), a.end() - 2}, {b.begin(), b.end() - 2});
  if (left.size() > 1) shape.push_back(a[a.size() - 2]);
  if (right.size() > 1) shape.push_back(b.back());
  return shape;
}

std::vector<ValueInfo> matmul_integer_infer(const InferCall& call) {
  require_bytes(call, std::array<size_t, 4>{0, 1, 2, 3});
  return {{.shape = product_shape(call.shape(0), call.shape(1)), .type = at::kInt}};
}

Kernel qlinear_matmul_kernel(const Node&) {
  return [](Call& call) {
    const auto a = centred(call.in(0), along_rows(call.in(2))), b = centred(call.in(3), call.in(5));
    const auto multiplier = along_rows(call.in(1)).mul(call.in(4)).div(call.in(6));
    call.out() = requantized(at::matmul(a, b), multiplier, call.in(7));
  };
}

std::vector<ValueInfo> qlinear_matmul_infer(const InferCall& call) {
  require_bytes(call, std::array<size_t, 5>{0, 2, 3, 5, 7});
  return {{.shape = product_shape(call.shape(0), call.shape(3)), .type = call.in(7).type}};
}

template <size_t left>
int64_t product_macs(const Node&, std::span<const ValueInfo> inputs, std::span<const ValueInfo> outputs) {
  return elements(outputs[0].shape) * inputs[left].shape.back();
}

Op matmul_integer_op() {
  return {.name = "MatMulInteger",
          .doc = "matrix product of 8-bit integers, 32-bit integers as result",
          .min_inputs = 2,
          .max_inputs = 4,
          .since_opset = 10,
          .kernel = matmul_integer_kernel,
          .gradient = Gradient::none,
          .infer = matmul_integer_infer,
          .macs = product_macs<0>,
          .channels = blocked,
          .resize = keep_attributes,
          .quantization = Quantization::none};
}

Op qlinear_matmul_op() {
  auto op = matmul_integer_op();
  op.name = "QLinearMatMul";
  op.doc = "matrix product of 8-bit integers, rounded to a grid";
  op.min_inputs = op.max_inputs = 8;
  op.kernel = qlinear_matmul_kernel;
  op.infer = qlinear_matmul_infer;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily integer_matmul{{matmul_integer_op(), qlinear_matmul_op()}};
}

}  // namespace compress::ops
