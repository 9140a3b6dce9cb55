#include "ops/conv.h"

#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/linear.h>

namespace compress::ops {

namespace {

at::Tensor padded_convolution(const Node& node, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const auto window = window_of(node, space_of(shape_of(weight)), space_of(shape_of(x)));
  const auto input = window.symmetric() ? x : at::constant_pad_nd(x, torch_pads(window.begin, window.end), 0);
  const auto pads = window.symmetric() ? window.begin : Shape(window.begin.size(), 0);
  return at::convolution(input, weight, bias, window.strides, pads, window.dilations, /*transposed=*/false,
                         Shape(pads.size(), 0), node.attributes.integer("group", 1));
}

/// The pads in front, when they are known and the same behind.
std::optional<Shape> symmetric_pads(const Node& node) {
  const auto mode = node.attributes.text("auto_pad", "NOTSET");
  if (mode == "VALID") return Shape{0};
  const auto pads = node.attributes.integers("pads", {0, 0});
  const auto axes = static_cast<int64_t>(pads.size() / 2);
  const Shape begin(pads.begin(), pads.begin() + axes), end(pads.begin() + axes, pads.end());
  return mode == "NOTSET" && begin == end && axes > 0 ? std::optional(begin) : std::nullopt;
}

Kernel conv_kernel(const Node& node) {
  return [convolve = convolution_of(node)](Call& call) {
    call.out() = convolve(call.in(0), call.in(1), call.in_or_none(2));
  };
}

void plain_conv_channels(ChannelFlow& flow) {
  flow.bind(2, 0, conv_channels(flow));
}

int first_axis(const Node&) {
  return 0;
}

/// Depthwise: output o reads input o / multiplier only, so both are one channel.
Atoms depthwise_channels(ChannelFlow& flow) {
  const auto inputs = flow.axis(0, 1);
  if (inputs.empty()) {
    const auto outputs = flow.own_axis(1, 0);
    flow.block(outputs, fmt::format("axis 1 of '{}' carries no channels that can be followed", flow.node().inputs[0]));
    return outputs;
  }
  const auto multiplier = flow.shape(1)[0] / std::ssize(inputs);
  Atoms outputs;
  for (int64_t o = 0; o < flow.shape(1)[0]; ++o) outputs.push_back(inputs[static_cast<size_t>(o / multiplier)]);
  flow.bind(1, 0, outputs);
  return outputs;
}

/// All groups keep the same size: channels at the same place within their group live and die together.
void unite_groups(ChannelFlow& flow, const Atoms& atoms, int64_t groups) {
  const auto size = atoms.size() / static_cast<size_t>(groups);
  for (size_t k = size; k < atoms.size(); ++k) flow.unite({atoms[k]}, {atoms[k % size]});
}

}  // namespace

namespace {

Convolution spatial_convolution(const Node& node) {
  const auto pads = symmetric_pads(node);
  if (!pads)
    return [node](const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
      return padded_convolution(node, x, weight, bias);
    };
  return [pads = *pads, strides = node.attributes.integers("strides", {1}),
          dilations = node.attributes.integers("dilations", {1}), groups = node.attributes.integer("group", 1)](
             const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    constexpr int64_t kNone[] = {0};
    return at::convolution(x, weight, bias, strides, pads, dilations, /*transposed=*/false, kNone, groups);
  };
}

}  // namespace

Convolution convolution_of(const Node& node) {
  return [spatial = spatial_convolution(node)](const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    if (weight.dim() > 2) return spatial(x, weight, bias);
    return at::linear(x, weight, bias.defined() ? std::optional(bias) : std::nullopt);
  };
}

std::vector<AttributeSpec> conv_attributes() {
  return with_attributes(window_attributes(), {{"group", AttributeSpec::Type::integer}});
}

std::vector<ValueInfo> conv_infer(const InferCall& call) {
  const auto &x = call.shape(0), &weight = call.shape(1);
  if (x.size() < 3 || x.size() > 5 || weight.size() != x.size())
    throw request_error("input of shape {} and weight of shape {} do not make a convolution", shape_text(x),
                        shape_text(weight))
        .hint("both need 3, 4 or 5 axes: batch or outputs, channels, space");
  const auto groups = call.node.attributes.integer("group", 1);
  if (groups < 1 || weight[1] * groups != x[1] || weight[0] % groups != 0)
    throw request_error("the input has {} channels, but the weight of shape {} in {} group(s) takes {}", x[1],
                        shape_text(weight), groups, weight[1] * groups);
  if (call.has(2) && call.shape(2) != Shape{weight[0]})
    throw request_error("the bias has shape {}, but there are {} output channels", shape_text(call.shape(2)),
                        weight[0]);
  const auto space = space_of(x);
  Shape shape{x[0], weight[0]};
  for (const auto size : window_output(window_of(call.node, space_of(weight), space), space)) shape.push_back(size);
  return {{.shape = std::move(shape), .type = call.in(0).type}};
}

int64_t conv_macs(const Node&, std::span<const ValueInfo> inputs, std::span<const ValueInfo> outputs) {
  return elements(outputs[0].shape) * elements(std::span(inputs[1].shape).subspan(1));
}

std::vector<int> conv_channels(ChannelFlow& flow) {
  const auto groups = flow.node().attributes.integer("group", 1);
  ChannelMap map(flow.output_shape().size());
  block_other_axes(flow);
  if (groups > 1 && groups == flow.shape(0)[1]) {
    map[1] = depthwise_channels(flow);
  } else {
    const auto inputs = flow.axis(0, 1);
    map[1] = flow.own_axis(1, 0);
    unite_groups(flow, inputs, groups);
    unite_groups(flow, map[1], groups);
    flow.bind(1, 1, {inputs.begin(), inputs.begin() + std::ssize(inputs) / groups});
  }
  flow.set_output(map);
  return map[1];
}

/// A depthwise convolution has as many groups as channels.
void conv_resize(Node& node, const Resize& resize) {
  const auto groups = node.attributes.integer("group", 1);
  const auto kept = resize.kept_input(0, 1);
  if (groups > 1 && std::ssize(kept) == groups) node.attributes.set("group", resize.count_input(0, 1));
}

namespace families {
extern const OpFamily conv{{{.name = "Conv",
                             .doc = "convolution over 1, 2 or 3 spatial axes, with groups and dilation",
                             .min_inputs = 2,
                             .max_inputs = 3,
                             .attributes = conv_attributes(),
                             .kernel = conv_kernel,
                             .gradient = Gradient::yes,
                             .infer = conv_infer,
                             .macs = conv_macs,
                             .channels = plain_conv_channels,
                             .resize = conv_resize,
                             .quantization = Quantization::weighted,
                             .weight_input = 1,
                             .bias_input = 2,
                             .weight_axis = first_axis,
                             .normalize = make_pads_explicit}}};
}

}  // namespace compress::ops
