#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/conv.h"
#include "ops/shape.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/convolution.h>

#include <algorithm>

namespace compress::ops {

namespace {

/// A transposed convolution with everything resolved: the window's pads crop the full result, `extra` rows of it are
/// added behind.
struct Upscaling {
  Window window;
  Shape extra;

  int64_t extent(size_t i) const { return window.dilations[i] * (window.kernel[i] - 1) + 1; }
  /// Size before cropping.
  int64_t full(size_t i, int64_t size) const { return window.strides[i] * (size - 1) + extent(i) + extra[i]; }
};

bool pads_as_input(const Node& node) {
  return node.attributes.text("auto_pad", "NOTSET").starts_with("SAME");
}

/// `output_shape`, for the spatial axes: ONNX allows it with and without batch and channels.
Shape stated_output(const Node& node, size_t axes) {
  auto stated = node.attributes.integers("output_shape", {});
  if (stated.size() == axes + 2) stated.erase(stated.begin(), stated.begin() + 2);
  if (!stated.empty() && stated.size() != axes)
    throw request_error("attribute 'output_shape' has {} entries, but {} are needed", stated.size(), axes);
  return stated;
}

/// Pads such that axis i gets the size `wanted`; a full result that is too small is extended behind.
void fit(Upscaling& up, size_t i, int64_t size, int64_t wanted, bool more_in_front) {
  auto total = up.full(i, size) - wanted;
  if (total < 0) up.extra[i] -= total;
  total = std::max<int64_t>(total, 0);
  const auto less = total / 2;
  up.window.begin[i] = more_in_front ? total - less : less;
  up.window.end[i] = total - up.window.begin[i];
}

Upscaling upscaling_of(const Node& node, const Shape& kernel, const Shape& space) {
  Upscaling up{window_of(node, kernel, space), node.attributes.integers("output_padding", Shape(space.size(), 0))};
  if (up.extra.size() != space.size())
    throw request_error("attribute 'output_padding' has {} entries, but {} are needed", up.extra.size(), space.size());
  const auto absurd = [](int64_t size) { return size < 0 || size > (int64_t{1} << 32); };
  const auto stated = stated_output(node, space.size());
  if (std::ranges::any_of(up.extra, absurd) || std::ranges::any_of(stated, absurd))
    throw request_error("'output_padding' {} or 'output_shape' {} is negative or absurdly large", shape_text(up.extra),
                        shape_text(stated));
  if (stated.empty() && !pads_as_input(node)) return up;
  const bool more_in_front = node.attributes.text("auto_pad", "NOTSET") != "SAME_UPPER";
  for (size_t i = 0; i < space.size(); ++i)
    fit(up, i, space[i], stated.empty() ? space[i] * up.window.strides[i] : stated[i], more_in_front);
  return up;
}

/// LibTorch crops the same in front and behind; what it takes less behind is its output padding. None when that cannot
/// express the pads.
std::optional<Shape> torch_output_padding(const Upscaling& up) {
  Shape padding;
  for (size_t i = 0; i < up.extra.size(); ++i) {
    padding.push_back(up.extra[i] + up.window.begin[i] - up.window.end[i]);
    const auto limit = std::max(up.window.strides[i], up.window.dilations[i]);
    if (padding[i] < 0 || padding[i] >= limit || up.window.begin[i] < 0) return std::nullopt;
  }
  return padding;
}

at::Tensor transposed_convolution(const Call& call, const Upscaling& up, int64_t groups) {
  const auto& window = up.window;
  const auto convolve = [&](const at::Tensor& bias, const Shape& pads, const Shape& output_padding) {
    return at::convolution(call.in(0), call.in(1), bias, window.strides, pads, window.dilations, /*transposed=*/true,
                           output_padding, groups);
  };
  if (const auto output_padding = torch_output_padding(up))
    return convolve(call.in_or_none(2), window.begin, *output_padding);
  Shape front, behind;
  for (size_t i = 0; i < up.extra.size(); ++i) {
    front.push_back(-window.begin[i]);
    behind.push_back(up.extra[i] - window.end[i]);
  }
  const Shape none(up.extra.size(), 0);
  const auto result = at::constant_pad_nd(convolve({}, none, none), torch_pads(front, behind), 0);
  return call.has(2) ? result.add(along_channels(call.in(2), result.dim())) : result;
}

Kernel conv_transpose_kernel(const Node& node) {
  return [node, groups = node.attributes.integer("group", 1)](Call& call) {
    const auto up = upscaling_of(node, space_of(shape_of(call.in(1))), space_of(shape_of(call.in(0))));
    call.out() = transposed_convolution(call, up, groups);
  };
}

std::vector<ValueInfo> conv_transpose_infer(const InferCall& call) {
  const auto &x = call.shape(0), &weight = call.shape(1);
  if (x.size() < 3 || x.size() > 5 || weight.size() != x.size())
    throw request_error("input of shape {} and weight of shape {} do not make a transposed convolution", shape_text(x),
                        shape_text(weight))
        .hint("both need 3, 4 or 5 axes: batch or inputs, channels, space");
  const auto groups = call.node.attributes.integer("group", 1);
  if (groups < 1 || weight[0] != x[1] || x[1] % groups != 0)
    throw request_error("the input has {} channels, but the weight of shape {} takes {} in {} group(s)", x[1],
                        shape_text(weight), weight[0], groups);
  const auto outputs = weight[1] * groups;
  if (call.has(2) && call.shape(2) != Shape{outputs})
    throw request_error("the bias has shape {}, but there are {} output channels", shape_text(call.shape(2)), outputs);
  const auto space = space_of(x);
  const auto up = upscaling_of(call.node, space_of(weight), space);
  Shape shape{x[0], outputs};
  for (size_t i = 0; i < space.size(); ++i) {
    shape.push_back(up.full(i, space[i]) - up.window.begin[i] - up.window.end[i]);
    if (shape.back() < 1) throw request_error("pads leave nothing of spatial axis {} of size {}", i, space[i]);
  }
  return {{.shape = std::move(shape), .type = call.in(0).type}};
}

/// Every input element meets every weight of its channel.
int64_t conv_transpose_macs(const Node&, std::span<const ValueInfo> inputs, std::span<const ValueInfo>) {
  return elements(inputs[0].shape) * elements(std::span(inputs[1].shape).subspan(1));
}

/// One input channel a group: its outputs live and die with it, and with it goes a group.
Atoms depthwise_outputs(ChannelFlow& flow, const Atoms& inputs) {
  Atoms outputs;
  for (const auto atom : inputs) outputs.insert(outputs.end(), static_cast<size_t>(flow.shape(1)[1]), atom);
  return outputs;
}

/// All groups keep the same size and share the weight's output axis.
Atoms grouped_outputs(ChannelFlow& flow, const Atoms& inputs, int64_t groups) {
  const auto per_group = inputs.size() / static_cast<size_t>(groups);
  for (size_t k = per_group; k < inputs.size(); ++k) flow.unite({inputs[k]}, {inputs[k % per_group]});
  const auto shared = flow.own_axis(1, 1);
  Atoms outputs;
  for (int64_t group = 0; group < groups; ++group) outputs.insert(outputs.end(), shared.begin(), shared.end());
  return outputs;
}

void conv_transpose_channels(ChannelFlow& flow) {
  ChannelMap map(flow.output_shape().size());
  block_other_axes(flow);
  const auto inputs = flow.axis(0, 1);
  const auto groups = flow.node().attributes.integer("group", 1);
  flow.bind(1, 0, inputs);
  const bool depthwise = groups > 1 && groups == flow.shape(0)[1];
  map[1] = depthwise && !inputs.empty() ? depthwise_outputs(flow, inputs) : grouped_outputs(flow, inputs, groups);
  flow.bind(2, 0, map[1]);
  flow.set_output(std::move(map));
}

int second_axis(const Node&) {
  return 1;
}

/// auto_pad as pads: they do not depend on the input's size, since the output is the input times the strides.
void make_crop_explicit(Graph& graph, Node& node) {
  if (pads_as_input(node) && !node.attributes.has("output_shape")) {
    const auto infos = input_infos(node, infer(graph, 1, &node));
    const auto up = upscaling_of(node, space_of(infos[1].shape), space_of(infos[0].shape));
    if (!torch_output_padding(up)) return;  // ONNX cannot express it as pads either
    auto pads = up.window.begin;
    pads.insert(pads.end(), up.window.end.begin(), up.window.end.end());
    node.attributes.set("pads", pads);
    if (std::ranges::any_of(up.extra, [](int64_t size) { return size != 0; }))
      node.attributes.set("output_padding", up.extra);
  } else if (node.attributes.has("output_shape")) {
    return;
  } else if (node.attributes.text("auto_pad", "NOTSET") == "VALID") {
    node.attributes.erase("pads");
  }
  node.attributes.erase("auto_pad");
}

}  // namespace

namespace families {
extern const OpFamily conv_transpose{
    {{.name = "ConvTranspose",
      .doc = "transposed convolution over 1, 2 or 3 spatial axes: the gradient of a convolution as an operator",
      .min_inputs = 2,
      .max_inputs = 3,
      .attributes = with_attributes(
          conv_attributes(),
          {{"output_padding", AttributeSpec::Type::integers}, {"output_shape", AttributeSpec::Type::integers}}),
      .kernel = conv_transpose_kernel,
      .gradient = Gradient::yes,
      .infer = conv_transpose_infer,
      .macs = conv_transpose_macs,
      .channels = conv_transpose_channels,
      .resize = conv_resize,
      .quantization = Quantization::weighted,
      .weight_input = 1,
      .bias_input = 2,
      .weight_axis = second_axis,
      .normalize = make_crop_explicit}}};
}

}  // namespace compress::ops
