#include "ops/weight_groups.h"

#include "core/error.h"
#include "core/text.h"

#include <algorithm>

namespace compress::ops {

namespace {

/// Output channels first, input channels second.
at::Tensor ordered(const at::Tensor& weight, GridAxes axes) {
  return weight.movedim({axes.axis, axes.input_axis}, {0, 1});
}

}  // namespace

void check_groups(const Shape& weight, GridAxes axes) {
  const auto rank = std::ssize(weight);
  if (rank < 2 || std::ranges::find(weight, 0) != weight.end())
    throw request_error("a weight of shape {} has no input channels to quantise in groups", shape_text(weight))
        .hint("quantise it per tensor or per channel");
  if (std::min(axes.axis, axes.input_axis) < 0 || std::max(axes.axis, axes.input_axis) >= rank ||
      axes.axis == axes.input_axis)
    throw request_error("groups of a weight of shape {} with axis {} and input_axis {}", shape_text(weight), axes.axis,
                        axes.input_axis)
        .hint("these are the axes of its output and of its input channels");
  const auto inputs = weight[static_cast<size_t>(axes.input_axis)];
  if (axes.group_size >= 1 && inputs % axes.group_size == 0) return;
  auto divisor = std::clamp<int64_t>(axes.group_size, 1, inputs);
  while (inputs % divisor != 0) --divisor;
  throw request_error("groups of {} do not divide the {} input channels of a weight of shape {}", axes.group_size,
                      inputs, shape_text(weight))
      .hint(fmt::format("group sizes are divisors of {}; {} would do", inputs, divisor));
}

at::Tensor in_groups(const at::Tensor& weight, GridAxes axes) {
  check_groups(weight.sizes().vec(), axes);
  const auto groups = weight.size(axes.input_axis) / axes.group_size, outputs = weight.size(axes.axis);
  return ordered(weight, axes).reshape({outputs, groups, weight.numel() / (outputs * groups)});
}

at::Tensor group_scales_of_onnx(const at::Tensor& values, const at::Tensor& weight, GridAxes axes) {
  auto shape = ordered(weight, axes).sizes().vec();
  shape[1] = values.size(1);
  auto spread = values;
  while (spread.dim() < weight.dim()) spread = spread.unsqueeze(-1);
  return spread.expand(shape).movedim({0, 1}, {axes.axis, axes.input_axis});
}

}  // namespace compress::ops
