#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/constant_pad_nd.h>

#include <algorithm>

/// Normalisations without parameters.
namespace compress::ops {

namespace {

/// x / (bias + alpha / size * sum of squares of the channels around)^beta; of an even `size`, one more behind.
Kernel lrn_kernel(const Node& node) {
  const auto& attributes = node.attributes;
  return [size = attributes.integer("size", 1), alpha = attributes.number("alpha", 1e-4),
          beta = attributes.number("beta", 0.75), bias = attributes.number("bias", 1)](Call& call) {
    const auto& x = call.in(0);
    Shape front(static_cast<size_t>(x.dim() - 1), 0), behind = front;
    front[0] = (size - 1) / 2;
    behind[0] = size - 1 - front[0];
    const auto squares = at::constant_pad_nd(x.mul(x), torch_pads(front, behind), 0);
    auto sum = squares.narrow(1, 0, x.size(1));
    for (int64_t k = 1; k < size; ++k) sum = sum.add(squares.narrow(1, k, x.size(1)));
    call.out() = x.div(sum.mul(alpha / static_cast<double>(size)).add(bias).pow(beta));
  };
}

std::vector<ValueInfo> lrn_infer(const InferCall& call) {
  require_rank(call, 0, 2);
  if (const auto size = call.node.attributes.integer("size", 1); size < 1)
    throw request_error("attribute 'size' is {}, it must be at least 1", size);
  return {call.in(0)};
}

void lrn_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  flow.block(flow.axis(0, 1), "channels influence their neighbours");
  flow.set_output(flow.map(0));
}

/// x / norm; 0 where the norm is 0.
Kernel lp_normalization_kernel(const Node& node) {
  return [axis = node.attributes.integer("axis", -1), p = node.attributes.integer("p", 2)](Call& call) {
    const auto& x = call.in(0);
    const auto norm = x.norm(p, {axis}, /*keepdim=*/true);
    call.out() = x.div(norm.masked_fill(norm.eq(0), 1));
  };
}

std::vector<ValueInfo> lp_normalization_infer(const InferCall& call) {
  axis_of(call.node.attributes.integer("axis", -1), std::ssize(call.shape(0)));
  if (const auto p = call.node.attributes.integer("p", 2); p != 1 && p != 2)
    throw request_error("attribute 'p' is {}", p).hint("allowed are 1 and 2");
  return {call.in(0)};
}

void lp_normalization_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto axis = axis_of(flow.node().attributes.integer("axis", -1), std::ssize(flow.shape(0)));
  flow.block(flow.axis(0, axis), "all channels are normalised together");
  flow.set_output(flow.map(0));
}

Shape mean_axes(const Node& node, size_t rank) {
  return axes_of(node.attributes.integers("axes", {0, 2, 3}), static_cast<int64_t>(rank));
}

/// (x - mean) / (standard deviation + 1e-9), as the function that defines it in ONNX.
Kernel mean_variance_kernel(const Node& node) {
  return [node](Call& call) {
    const auto& x = call.in(0);
    const auto axes = mean_axes(node, static_cast<size_t>(x.dim()));
    const auto centred = x.sub(x.mean(axes, /*keepdim=*/true));
    const auto deviation = centred.mul(centred).mean(axes, /*keepdim=*/true).sqrt();
    call.out() = centred.div(deviation.add(1e-9));
  };
}

std::vector<ValueInfo> mean_variance_infer(const InferCall& call) {
  mean_axes(call.node, call.shape(0).size());
  return {call.in(0)};
}

void mean_variance_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  for (const auto axis : mean_axes(flow.node(), flow.shape(0).size()))
    flow.block(flow.axis(0, axis), "all channels are normalised together");
  flow.set_output(flow.map(0));
}

Op plain_normalization(std::string_view name,
                       std::string_view doc,
                       std::vector<AttributeSpec> attributes,
                       Kernel (*kernel)(const Node&),
                       Infer infer,
                       void (*channels)(ChannelFlow&)) {
  return {.name = name,
          .doc = doc,
          .attributes = std::move(attributes),
          .kernel = kernel,
          .gradient = Gradient::yes,
          .infer = infer,
          .macs = no_macs,
          .channels = channels,
          .resize = keep_attributes,
          .quantization = Quantization::none};
}

}  // namespace

namespace families {
extern const OpFamily lrn{
    {plain_normalization("LRN",
                         "divides by a power of the sum of squares of the channels around",
                         {{"alpha", AttributeSpec::Type::number},
                          {"beta", AttributeSpec::Type::number},
                          {"bias", AttributeSpec::Type::number},
                          {"size", AttributeSpec::Type::integer, true}},
                         lrn_kernel,
                         lrn_infer,
                         lrn_channels),
     plain_normalization("LpNormalization",
                         "divides by the 1-norm or 2-norm over an axis",
                         {{"axis", AttributeSpec::Type::integer}, {"p", AttributeSpec::Type::integer}},
                         lp_normalization_kernel,
                         lp_normalization_infer,
                         lp_normalization_channels),
     plain_normalization("MeanVarianceNormalization",
                         "mean 0 and variance 1 over some axes",
                         {{"axes", AttributeSpec::Type::integers}},
                         mean_variance_kernel,
                         mean_variance_infer,
                         mean_variance_channels)}};
}

}  // namespace compress::ops
