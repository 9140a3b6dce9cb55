#include "ops/resize.h"

#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/resize_weights.h"
#include "ops/shape.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

namespace compress::ops {

namespace {

ResizeRule rule_of(const Node& node) {
  const auto& attributes = node.attributes;
  return {.mode = attributes.text("mode", "nearest"),
          .coordinates = attributes.text("coordinate_transformation_mode", "half_pixel"),
          .rounding = attributes.text("nearest_mode", "round_prefer_floor"),
          .cubic_coefficient = attributes.number("cubic_coeff_a", -0.75),
          .exclude_outside = attributes.integer("exclude_outside", 0) != 0,
          .antialias = attributes.integer("antialias", 0) != 0};
}

bool stays(const ResizedAxis& axis) {
  return axis.in == axis.out && axis.width() == static_cast<double>(axis.in) && axis.begin == 0 && axis.end == 1;
}

at::Tensor row(const at::Tensor& values, int64_t axis, int64_t rank) {
  Shape shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(axis)] = values.numel();
  return values.reshape(shape);
}

/// Output indices as sums of input indices; differentiable.
at::Tensor interpolated(const at::Tensor& x, int64_t axis, const Taps& taps) {
  const auto outputs = std::ssize(taps.index) / taps.count;
  const auto index = at::tensor(taps.index, x.options().dtype(at::kLong)).reshape({outputs, taps.count});
  const auto part = [&](int64_t k) { return x.index_select(axis, index.select(1, k).contiguous()); };
  if (taps.count == 1) return part(0);
  const auto weight = at::tensor(taps.weight, x.options().dtype(at::kDouble)).to(x.scalar_type());
  const auto weights = weight.reshape({outputs, taps.count});
  at::Tensor sum;
  for (int64_t k = 0; k < taps.count; ++k) {
    const auto term = part(k).mul(row(weights.select(1, k), axis, x.dim()));
    sum = sum.defined() ? sum.add(term) : term;
  }
  return sum;
}

at::Tensor filled_outside(const at::Tensor& x, int64_t axis, const Taps& taps, double value) {
  if (std::ranges::none_of(taps.outside, [](bool outside) { return outside; })) return x;
  const Shape flags(taps.outside.begin(), taps.outside.end());
  return x.masked_fill(row(at::tensor(flags, x.options().dtype(at::kLong)).ne(0), axis, x.dim()), value);
}

at::Tensor resized_by_taps(const at::Tensor& x,
                           const ResizeRule& rule,
                           const std::vector<ResizedAxis>& axes,
                           double extrapolation_value) {
  auto result = x;
  std::vector<std::pair<int64_t, Taps>> done;
  for (int64_t axis = 0; axis < x.dim(); ++axis) {
    if (stays(axes[static_cast<size_t>(axis)])) continue;
    done.emplace_back(axis, taps_of(rule, axes[static_cast<size_t>(axis)]));
    result = interpolated(result, axis, done.back().second);
  }
  for (const auto& [axis, taps] : done) result = filled_outside(result, axis, taps, extrapolation_value);
  return result;
}

/// Integers are interpolated as real numbers and rounded, halves in 32 bits.
at::Tensor in_wide_type(const at::Tensor& x, const std::function<at::Tensor(const at::Tensor&)>& resize) {
  const auto type = x.scalar_type();
  if (type == at::kFloat || type == at::kDouble) return resize(x);
  if (x.is_floating_point()) return resize(x.to(at::kFloat)).to(type);
  auto y = resize(x.to(at::kDouble)).round();
  if (type == at::kByte) y = y.clamp(0, 255);
  if (type == at::kChar) y = y.clamp(-128, 127);
  return y.to(type);
}

std::vector<ValueInfo> resize_infer(const InferCall& call) {
  auto result = call.in(0);
  const auto axes = resized_axes_of(call.node, result.shape);
  for (size_t i = 0; i < axes.size(); ++i) result.shape[i] = axes[i].out;
  if (rule_of(call.node).antialias && rule_of(call.node).mode == "nearest")
    throw request_error("attribute 'antialias' goes with the modes linear and cubic");
  return {result};
}

void resize_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  auto map = flow.map(0);
  const auto axes = resized_axes_of(flow.node(), flow.shape(0));
  for (size_t i = 0; i < axes.size(); ++i) {
    if (stays(axes[i])) continue;
    flow.block(map[i], "an axis that carries channels is resized");
    map[i].clear();
  }
  flow.set_output(std::move(map));
}

/// Sizes that are written out follow the channels that stay.
void resize_sizes(Node& node, const Resize& resize) {
  auto sizes = node.attributes.integers("sizes", {});
  if (sizes.empty()) return;
  const auto axes = stated_axes(node, static_cast<size_t>(resize.axes_of_output()));
  for (size_t i = 0; i < axes.size(); ++i)
    if (const auto count = resize.count_output(axes[i]); count >= 0) sizes[i] = count;
  node.attributes.set("sizes", sizes);
}

/// What means nothing in the node's mode, and what is taken anyway.
void drop_idle_attributes(Node& node) {
  const auto rule = rule_of(node);
  const auto drop = [&](bool idle, std::string_view name) {
    if (idle) node.attributes.erase(name);
  };
  const bool crops = rule.coordinates == "tf_crop_and_resize";
  drop(rule.mode == "nearest", "mode");
  drop(rule.coordinates == "half_pixel", "coordinate_transformation_mode");
  drop(rule.mode != "nearest" || rule.rounding == "round_prefer_floor", "nearest_mode");
  drop(rule.mode != "cubic" || rule.cubic_coefficient == -0.75, "cubic_coeff_a");
  drop(rule.mode == "nearest" || !rule.exclude_outside, "exclude_outside");
  drop(!rule.antialias, "antialias");
  drop(!crops, "roi");
  drop(!crops || node.attributes.number("extrapolation_value", 0) == 0, "extrapolation_value");
  drop(node.attributes.text("keep_aspect_ratio_policy", "stretch") == "stretch", "keep_aspect_ratio_policy");
  drop(node.attributes.integers("sizes", {}).empty(), "sizes");
  drop(node.attributes.numbers("scales", {}).empty(), "scales");
}

/// One spelling: a scale for each axis. Sizes stay where a scale does not give them (an aspect ratio that is kept).
void state_scales(Graph& graph, Node& node) {
  drop_idle_attributes(node);
  const auto shape = input_infos(node, infer(graph, 2, &node)).front().shape;
  const auto axes = resized_axes_of(node, shape);
  const bool by_scale = std::ranges::all_of(
      axes, [](const ResizedAxis& axis) { return static_cast<double>(axis.out) == std::floor(axis.width()); });
  if (!by_scale) return;
  std::vector<double> scales, roi;
  for (const auto& axis : axes) {
    scales.push_back(axis.scale);
    roi.push_back(axis.begin);
  }
  for (const auto& axis : axes) roi.push_back(axis.end);
  node.attributes.set("scales", scales);
  if (node.attributes.has("roi")) node.attributes.set("roi", roi);
  for (const auto* name : {"sizes", "axes", "keep_aspect_ratio_policy"}) node.attributes.erase(name);
}

std::vector<AttributeSpec> resize_attributes() {
  using enum AttributeSpec::Type;
  return {{"antialias", integer},
          {"axes", integers},
          {"coordinate_transformation_mode", text, false,
           "half_pixel|half_pixel_symmetric|pytorch_half_pixel|align_corners|asymmetric|tf_crop_and_resize"},
          {"cubic_coeff_a", number},
          {"exclude_outside", integer},
          {"extrapolation_value", number},
          {"keep_aspect_ratio_policy", text, false, "stretch|not_larger|not_smaller"},
          {"mode", text, false, "nearest|linear|cubic"},
          {"nearest_mode", text, false, "round_prefer_floor|round_prefer_ceil|floor|ceil"},
          {"roi", numbers},
          {"scales", numbers},
          {"sizes", integers}};
}

Kernel resize_kernel(const Node& node) {
  return [node, rule = rule_of(node), value = node.attributes.number("extrapolation_value", 0)](Call& call) {
    const auto& x = call.in(0);
    const auto axes = resized_axes_of(node, shape_of(x));
    if (auto fast = resized_by_torch(x, rule, axes)) {
      call.out() = *fast;
      return;
    }
    call.out() = in_wide_type(x, [&](const at::Tensor& wide) { return resized_by_taps(wide, rule, axes, value); });
  };
}

/// What Upsample (until opset 9) and the Resize of opset 10 compute, as a Resize of today.
void become_resize(Node& node) {
  const auto scales = node.attributes.numbers("scales", {});
  const bool shrinks = std::ranges::any_of(scales, [](double scale) { return scale < 1; });
  const bool grows = std::ranges::any_of(scales, [](double scale) { return scale > 1; });
  const bool nearest = node.attributes.text("mode", "nearest") == "nearest";
  if (nearest && shrinks && grows)
    throw request_error("{}: one axis grows and another shrinks, in mode nearest of opset 10", describe(node))
        .hint("export the model with opset 11 or later");
  node.op = "Resize";
  node.attributes.set("coordinate_transformation_mode", "asymmetric");
  // Those opsets leave the rounding open; ONNX Runtime rounds up when it shrinks.
  if (nearest) node.attributes.set("nearest_mode", shrinks ? "ceil" : "floor");
}

Node as_resize(Node node) {
  become_resize(node);
  return node;
}

void replace_upsample(Graph& graph, Node& node) {
  become_resize(node);
  state_scales(graph, node);
  graph.touch();
}

Op resize_op() {
  return {.name = "Resize",
          .doc = "other sizes by interpolation: nearest, linear or cubic",
          .since_opset = 11,
          .attributes = resize_attributes(),
          .constant_inputs = {{.index = 1, .attribute = "roi", .since_opset = 11},
                              {.index = 2, .attribute = "scales", .since_opset = 11},
                              {.index = 3, .attribute = "sizes", .since_opset = 11}},
          .kernel = resize_kernel,
          .gradient = Gradient::yes,
          .infer = resize_infer,
          .macs = no_macs,
          .channels = resize_channels,
          .resize = resize_sizes,
          .quantization = Quantization::arithmetic,
          .normalize = state_scales};
}

Op upsample_op() {
  auto op = resize_op();
  op.name = "Upsample";
  op.doc = "what Resize was before opset 11; import turns it into that";
  op.since_opset = 7;
  op.attributes = {{"mode", AttributeSpec::Type::text, false, "nearest|linear"},
                   {"scales", AttributeSpec::Type::numbers, true}};
  op.constant_inputs = {{.index = 1, .attribute = "scales", .since_opset = 9}};
  op.kernel = [](const Node& node) { return resize_kernel(as_resize(node)); };
  op.infer = [](const InferCall& call) {
    const auto node = as_resize(call.node);
    return resize_infer({.node = node, .inputs = call.inputs});
  };
  op.normalize = replace_upsample;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily resize{{resize_op(), upsample_op()}};
}

}  // namespace compress::ops
