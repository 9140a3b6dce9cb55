#include "core/text.h"
#include "ops/accumulator.h"
#include "ops/channels.h"
#include "ops/grid_method.h"
#include "ops/shape.h"
#include "ops/weight_groups.h"

#include <algorithm>

/// Simulated quantisation. Training sees the rounding of the integers that will be exported; the gradient passes
/// straight through, except where the value is clipped.
namespace compress::ops {

namespace {

Kernel fake_quantize_kernel(const Node& node) {
  return [node, spec = method_spec(node), axes = grid_axes(node), &method = grid_method(node)](Call& call) {
    call.out() = method.forward({.node = node, .spec = spec, .axes = axes, .mode = call.mode, .inputs = call.inputs});
  };
}

/// How many scales a value of this shape needs. Throws a request error when the axes do not fit it.
int64_t grid_count(const Node& node, const Shape& shape) {
  const auto axes = grid_axes(node);
  if (axes.axis < -1 || axes.axis >= std::ssize(shape))
    throw request_error("attribute 'axis' is {}, but the value has {} axes", axes.axis, shape.size())
        .hint("-1: one grid for the whole value");
  if (axes.axis >= 0 && method_spec(node).format == GridFormat::gfpq)
    throw request_error("attribute 'axis' is {}, but numbers of format 'gfpq' have one scale", axes.axis)
        .hint("leave out 'axis'");
  if (axes.group_size == 0 && axes.input_axis == -1) return axes.axis < 0 ? 1 : shape[static_cast<size_t>(axes.axis)];
  check_groups(shape, axes);
  return shape[static_cast<size_t>(axes.axis)] * (shape[static_cast<size_t>(axes.input_axis)] / axes.group_size);
}

/// How the layer that reads a weight computes (quant::finish).
void check_arithmetic(const Node& node) {
  if (node.attributes.has("accumulator_bits")) accumulator_range(node.attributes.integer("accumulator_bits", 32));
  const auto multiplier = node.attributes.integer("multiplier_bits", 31);
  if (multiplier < 2 || multiplier > 31)
    throw request_error("attribute 'multiplier_bits' is {}", multiplier).hint("allowed are 2 to 31");
}

std::vector<ValueInfo> fake_quantize_infer(const InferCall& call) {
  check_method(call);
  check_arithmetic(call.node);
  const auto grids = grid_count(call.node, call.shape(0));
  if (elements(call.shape(1)) != grids)
    throw request_error("input 1 has shape {}, but {} number(s) are needed", shape_text(call.shape(1)), grids);
  return {call.in(0)};
}

void fake_quantize_channels(ChannelFlow& flow) {
  same_channels(flow);
  const auto axes = grid_axes(flow.node());
  if (axes.axis < 0) return;
  const auto& method = grid_method(flow.node());
  for (size_t i = 1; i < flow.inputs(); ++i)
    if (i < 3 || !method.inputs[i - 3].single) flow.bind(i, 0, flow.axis(0, axes.axis));
  if (axes.group_size > 0)
    flow.block(flow.own_axis(0, axes.input_axis), "scales are shared by groups of input channels");
}

Op fake_quantize_op() {
  using enum AttributeSpec::Type;
  Op op{.name = "FakeQuantize",
        .doc = "rounds to a grid; training changes the grid as `method` says",
        .domain = "compress",
        .min_inputs = 3,
        .max_inputs = 3,
        .attributes = {{"accumulator", integer},
                       {"accumulator_bits", integer},
                       {"axis", integer},
                       {"bits", integer},
                       {"float_bias", integer},
                       {"format", text, false, "integer|gfpq|float8_e4m3|float8_e5m2|float16|bfloat16"},
                       {"group_size", integer},
                       {"input_axis", integer},
                       {"method", text, false, grid_method_words()},
                       {"multiplier_bits", integer},
                       {"narrow_range", integer},
                       {"scale_rule", text, false, "exact|power_of_two"},
                       {"signed", integer},
                       {"slot", integer},
                       {"symmetric", integer}},
        .kernel = fake_quantize_kernel,
        .gradient = Gradient::straight,
        .infer = fake_quantize_infer,
        .macs = no_macs,
        .channels = fake_quantize_channels,
        .resize = keep_attributes,
        .quantization = Quantization::quantizer};
  for (const auto* method : grid_methods()) {
    op.max_inputs = std::max(op.max_inputs, 3 + static_cast<int>(method->inputs.size()));
    for (const auto& attribute : method->attributes)
      if (std::ranges::find(op.attributes, attribute.name, &AttributeSpec::name) == op.attributes.end())
        op.attributes.push_back(attribute);
  }
  return op;
}

}  // namespace

namespace families {
extern const OpFamily fake_quantize{{fake_quantize_op()}};
}

}  // namespace compress::ops
