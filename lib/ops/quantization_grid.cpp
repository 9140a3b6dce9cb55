#include "ops/quantization_grid.h"

#include "core/error.h"
#include "ops/gfpq.h"
#include "ops/grid_format.h"
#include "ops/restricted_scale.h"
#include "ops/weight_groups.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/broadcast_tensors.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

namespace compress::ops {

int64_t GridSpec::low() const {
  return (is_signed ? -(int64_t{1} << (bits - 1)) : 0) + (narrow ? 1 : 0);
}

int64_t GridSpec::high() const {
  return is_signed ? (int64_t{1} << (bits - 1)) - 1 : (int64_t{1} << bits) - 1;
}

namespace {

Error spec_error(const GridSpec& spec, std::string_view what, std::string hint) {
  return request_error("a grid of format '{}' {}", word_of(spec.format), what).hint(std::move(hint));
}

void check_bits_of(const GridSpec& spec) {
  if (spec.format == GridFormat::gfpq) {
    gfpq_format(spec.bits);
    return;
  }
  const int implied = implied_bits(spec.format);
  if (implied != 0 && spec.bits != implied)
    throw spec_error(spec, fmt::format("with {} bits", spec.bits), fmt::format("it has {} bits", implied));
  if (spec.bits < 2 || spec.bits > 32)
    throw request_error("attribute 'bits' is {}", spec.bits)
        .hint("allowed are 2 to 16, and up to 32 for biases and accumulators");
}

}  // namespace

void check_spec(const GridSpec& spec) {
  check_bits_of(spec);
  if (spec.is_integer()) return;
  if (!spec.is_signed || spec.narrow || !spec.symmetric)
    throw spec_error(spec, "that is unsigned, narrow or asymmetric", "these are properties of integers");
  if (spec.scale_rule != ScaleRule::exact && (spec.format == GridFormat::gfpq || spec.bits == 16))
    throw spec_error(spec, "with scale_rule '" + word_of(spec.scale_rule) + "'", "its scale follows a rule of its own");
}

GridSpec grid_spec(const Node& node) {
  const auto flag = [&](std::string_view name, int64_t otherwise) {
    return node.attributes.integer(name, otherwise) != 0;
  };
  GridSpec spec{.is_signed = flag("signed", 1), .narrow = flag("narrow_range", 0), .symmetric = flag("symmetric", 1)};
  try {
    spec.format = grid_format(node.attributes.text("format", "integer"));
    spec.scale_rule = scale_rule(node.attributes.text("scale_rule", "exact"));
    const int implied = implied_bits(spec.format);
    spec.bits = static_cast<int>(node.attributes.integer("bits", implied == 0 ? 8 : implied));
    check_spec(spec);
  } catch (Error& error) {
    throw error.during(fmt::format("reading the grid of node '{}' ({})", node.name, node.op));
  }
  return spec;
}

void set_grid(Attributes& attributes, const GridSpec& spec) {
  for (const auto* key : {"format", "narrow_range", "scale_rule", "signed", "symmetric"}) attributes.erase(key);
  attributes.set("bits", int64_t{spec.bits});
  if (spec.is_integer()) {
    attributes.set("signed", int64_t{spec.is_signed});
    attributes.set("narrow_range", int64_t{spec.narrow});
    attributes.set("symmetric", int64_t{spec.symmetric});
  } else {
    attributes.set("format", word_of(spec.format));
  }
  if (spec.scale_rule != ScaleRule::exact) attributes.set("scale_rule", word_of(spec.scale_rule));
}

GridAxes grid_axes(const Node& node) {
  return {node.attributes.integer("axis", -1), node.attributes.integer("input_axis", -1),
          node.attributes.integer("group_size", 0)};
}

namespace {

at::Tensor one_where_zero(const at::Tensor& scale) {
  return scale.masked_fill(scale.eq(0), 1);
}

}  // namespace

double symmetric_steps(const GridSpec& spec) {
  if (!spec.is_signed || spec.narrow) return static_cast<double>(spec.high());
  return static_cast<double>((int64_t{1} << spec.bits) - 1) / 2;
}

Grid make_grid(const at::Tensor& min, const at::Tensor& max, const GridSpec& spec) {
  const at::NoGradGuard no_grad;
  const auto low = min.clamp_max(0), high = max.clamp_min(0);
  const auto first = static_cast<double>(spec.low()), last = static_cast<double>(spec.high());
  at::Tensor scale;
  if (!spec.is_integer())
    scale = format_scale(low, high, spec);
  else if (spec.symmetric)
    scale = one_where_zero((spec.is_signed ? at::maximum(low.neg(), high) : high).div(symmetric_steps(spec)));
  else
    scale = one_where_zero(high.sub(low).div(last - first));
  if (spec.scale_rule == ScaleRule::power_of_two) scale = power_of_two(scale);
  if (!spec.is_integer() || spec.symmetric) return {scale, at::zeros_like(scale)};
  return {scale, low.div(scale).neg().add(first).round().clamp(first, last)};
}

ValueRange grid_range(const Grid& grid, const GridSpec& spec) {
  const at::NoGradGuard no_grad;
  if (spec.symmetric) {
    const auto reach = grid.scale.mul(symmetric_steps(spec));
    return {spec.is_signed ? reach.neg() : at::zeros_like(reach), reach};
  }
  const auto zero_point = grid.zero_point.to(grid.scale.scalar_type());
  const auto end = [&](int64_t q) { return zero_point.neg().add_(static_cast<double>(q)).mul_(grid.scale); };
  return {end(spec.low()), end(spec.high())};
}

ValueRange value_range(const at::Tensor& x, GridAxes axes) {
  const at::NoGradGuard no_grad;
  const auto value = x.detach();
  if (axes.axis < 0) {
    const auto [min, max] = value.aminmax();
    return {min, max};
  }
  const auto parts =
      axes.group_size > 0 ? in_groups(value, axes) : value.movedim(axes.axis, 0).reshape({x.size(axes.axis), -1});
  const auto [min, max] = parts.aminmax(-1);
  return {min, max};
}

namespace {

/// The first number that is marked; not-a-number without its sign, which says nothing.
double first_of(const at::Tensor& numbers, const at::Tensor& marked) {
  const auto number = numbers.masked_select(marked)[0].item<double>();
  return std::isnan(number) ? std::abs(number) : number;
}

}  // namespace

void check_range(const ValueRange& range) {
  const auto both = at::broadcast_tensors({range.min, range.max});
  const auto good = both[0].le(both[1]).logical_and_(both[0].isfinite()).logical_and_(both[1].isfinite());
  if (good.all().item<bool>()) return;
  const auto wrong = good.logical_not();
  throw request_error("the range [{}, {}] of a grid", first_of(both[0], wrong), first_of(both[1], wrong))
      .hint("the smallest number is not above the largest, and both are finite");
}

at::Tensor along_axis(const at::Tensor& values, int64_t axis, int64_t rank) {
  if (axis < 0) return values.reshape({});
  Shape shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(axis)] = values.numel();
  return values.reshape(shape);
}

at::Tensor along_axes(const at::Tensor& values, GridAxes axes, const at::Tensor& x) {
  if (axes.group_size == 0) return along_axis(values, axes.axis, x.dim());
  Shape shape(static_cast<size_t>(x.dim()), 1);
  shape[static_cast<size_t>(axes.axis)] = x.size(axes.axis);
  const auto groups = x.size(axes.input_axis) / axes.group_size;
  const auto ordered = values.reshape({x.size(axes.axis), groups});
  shape[static_cast<size_t>(axes.input_axis)] = groups;
  const auto placed = axes.axis < axes.input_axis ? ordered : ordered.t();
  return placed.reshape(shape).repeat_interleave(axes.group_size, axes.input_axis);
}

at::Tensor quantized(const at::Tensor& x, const Grid& grid, const GridSpec& spec, GridAxes axes) {
  const at::NoGradGuard no_grad;
  if (!spec.is_integer()) return format_codes(x, along_axes(grid.scale, axes, x), spec);
  // Single precision cannot hold the integers of biases and accumulators.
  const auto type = spec.bits > 16 ? at::kDouble : x.scalar_type();
  const auto zero_point = along_axes(grid.zero_point, axes, x).to(type);
  const auto scale = along_axes(grid.scale, axes, x).to(type);
  return x.to(type).div(scale).round_().add_(zero_point).clamp_(spec.low(), spec.high());
}

namespace {

class StraightThrough final : public torch::autograd::Function<StraightThrough> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& scale,
                            const at::Tensor& zero_point,
                            const GridSpec& spec,
                            GridAxes axes) {
    auto result = rounded(x, {scale, zero_point}, spec, axes, /*want_inside=*/true);
    context->save_for_backward({result.inside});
    return result.values;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    return {gradients[0].mul(context->get_saved_variables()[0]), {}, {}, {}, {}};
  }
};

}  // namespace

at::Tensor fake_quantize(const at::Tensor& x, const Grid& grid, const GridSpec& spec, GridAxes axes) {
  if (at::GradMode::is_enabled() && x.requires_grad())
    return StraightThrough::apply(x, grid.scale, grid.zero_point, spec, axes);
  return rounded(x, grid, spec, axes, /*want_inside=*/false).values;
}

void write_grid(const Grid& grid, const at::Tensor& scale, const at::Tensor& zero_point) {
  const at::NoGradGuard no_grad;
  scale.copy_(grid.scale.reshape(scale.sizes()));
  zero_point.copy_(grid.zero_point.reshape(zero_point.sizes()));
}

}  // namespace compress::ops
