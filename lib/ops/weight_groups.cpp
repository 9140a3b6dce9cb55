#include "ops/weight_groups.h"

#include "core/error.h"
#include "core/text.h"

#include <algorithm>

namespace compress::ops {

namespace {

/// Output channels first, input channels second.
at::Tensor ordered(const at::Tensor& weight, WeightAxes axes) {
  return weight.movedim({axes.output, axes.input}, {0, 1});
}

void check_groups(const at::Tensor& weight, WeightAxes axes, int64_t size) {
  if (weight.dim() < 2 || weight.numel() == 0)
    throw request_error("a weight of shape {} has no input channels to quantise in groups", shape_text(weight.sizes()))
        .hint("quantise it per tensor or per channel");
  const auto inputs = weight.size(axes.input);
  if (size >= 1 && inputs % size == 0) return;
  auto divisor = std::clamp<int64_t>(size, 1, inputs);
  while (inputs % divisor != 0) --divisor;
  throw request_error("groups of {} do not divide the {} input channels of a weight of shape {}", size, inputs,
                      shape_text(weight.sizes()))
      .hint(fmt::format("group sizes are divisors of {}; {} would do", inputs, divisor));
}

}  // namespace

at::Tensor in_groups(const at::Tensor& weight, WeightAxes axes, int64_t size) {
  check_groups(weight, axes, size);
  const auto inputs = weight.size(axes.input), outputs = weight.size(axes.output);
  return ordered(weight, axes).reshape({outputs, inputs / size, weight.numel() / (outputs * (inputs / size))});
}

at::Tensor out_of_groups(const at::Tensor& groups, const at::Tensor& weight, WeightAxes axes) {
  return groups.reshape(ordered(weight, axes).sizes()).movedim({0, 1}, {axes.output, axes.input});
}

Grid make_group_grid(const at::Tensor& weight, WeightAxes axes, int64_t size, const GridSpec& spec) {
  const auto groups = in_groups(weight, axes, size);
  const auto range = value_range(groups.flatten(0, 1), 0);
  const auto shape = groups.sizes().slice(0, 2);
  return make_grid(range.min.reshape(shape), range.max.reshape(shape), spec);
}

at::Tensor
fake_quantize_groups(const at::Tensor& weight, const Grid& grid, WeightAxes axes, int64_t size, const GridSpec& spec) {
  const Grid flat{grid.scale.flatten(), grid.zero_point.flatten()};
  const auto rounded = fake_quantize(in_groups(weight, axes, size).flatten(0, 1), flat, spec, 0);
  return out_of_groups(rounded, weight, axes);
}

at::Tensor group_scales_of_onnx(const at::Tensor& values, const at::Tensor& weight, WeightAxes axes) {
  auto shape = ordered(weight, axes).sizes().vec();
  shape[1] = values.size(1);
  auto spread = values;
  while (spread.dim() < weight.dim()) spread = spread.unsqueeze(-1);
  return spread.expand(shape).movedim({0, 1}, {axes.output, axes.input});
}

}  // namespace compress::ops
