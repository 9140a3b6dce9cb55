#include "ops/quantization_grid.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

namespace compress::ops {

int64_t GridSpec::low() const {
  return (is_signed ? -(int64_t{1} << (bits - 1)) : 0) + (narrow ? 1 : 0);
}

int64_t GridSpec::high() const {
  return is_signed ? (int64_t{1} << (bits - 1)) - 1 : (int64_t{1} << bits) - 1;
}

GridSpec grid_spec(const Node& node) {
  const auto flag = [&](std::string_view name, int64_t otherwise) {
    return node.attributes.integer(name, otherwise) != 0;
  };
  const auto bits = node.attributes.integer("bits", 8);
  if (bits != 32 && (bits < 2 || bits > 16))
    throw request_error("node '{}' ({}): attribute 'bits' is {}", node.name, node.op, bits)
        .hint("allowed are 2 to 16, and 32 for biases on an accumulator's grid");
  return {.bits = static_cast<int>(bits),
          .is_signed = flag("signed", 1),
          .narrow = flag("narrow_range", 0),
          .symmetric = flag("symmetric", 1)};
}

namespace {

at::Tensor one_where_zero(const at::Tensor& scale) {
  return scale.masked_fill(scale.eq(0), 1);
}

double symmetric_steps(const GridSpec& spec) {
  if (!spec.is_signed || spec.narrow) return static_cast<double>(spec.high());
  return static_cast<double>((int64_t{1} << spec.bits) - 1) / 2;
}

}  // namespace

Grid make_grid(const at::Tensor& min, const at::Tensor& max, const GridSpec& spec) {
  const at::NoGradGuard no_grad;
  const auto low = min.clamp_max(0), high = max.clamp_min(0);
  if (spec.symmetric) {
    const auto reach = spec.is_signed ? at::maximum(low.neg(), high) : high;
    return {one_where_zero(reach.div(symmetric_steps(spec))), at::zeros_like(min)};
  }
  const auto first = static_cast<double>(spec.low()), last = static_cast<double>(spec.high());
  const auto scale = one_where_zero(high.sub(low).div(last - first));
  return {scale, low.div(scale).neg().add(first).round().clamp(first, last)};
}

ValueRange value_range(const at::Tensor& x, int64_t axis) {
  const at::NoGradGuard no_grad;
  const auto [min, max] =
      axis < 0 ? x.detach().aminmax() : x.detach().movedim(axis, 0).reshape({x.size(axis), -1}).aminmax(1);
  return {min, max};
}

at::Tensor along_axis(const at::Tensor& values, int64_t axis, int64_t rank) {
  if (axis < 0) return values.reshape({});
  Shape shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(axis)] = values.numel();
  return values.reshape(shape);
}

at::Tensor quantized(const at::Tensor& x, const Grid& grid, const GridSpec& spec, int64_t axis) {
  const at::NoGradGuard no_grad;
  const auto zero_point = along_axis(grid.zero_point, axis, x.dim()).to(x.scalar_type());
  return x.div(along_axis(grid.scale, axis, x.dim())).round_().add_(zero_point).clamp_(spec.low(), spec.high());
}

void write_grid(const Grid& grid, const at::Tensor& scale, const at::Tensor& zero_point) {
  const at::NoGradGuard no_grad;
  scale.copy_(grid.scale.reshape(scale.sizes()));
  zero_point.copy_(grid.zero_point.reshape(zero_point.sizes()));
}

}  // namespace compress::ops
