#include "ops/conv_batch_normalization.h"

#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/var_mean.h>
#include <ATen/ops/where.h>

#include <algorithm>

namespace compress::ops {

namespace {

using Folded = FoldedConvolution;

/// A tensor [O] as [O,1,1,1], to go with the weight.
at::Tensor per_output(const at::Tensor& values, const at::Tensor& weight) {
  return along_axis(values, 0, weight.dim());
}

/// The weight that the integers of w * factor stand for; w itself where the factor is too small to divide by.
at::Tensor unfolded(const at::Tensor& quantised, const at::Tensor& weight, const at::Tensor& factor) {
  constexpr double kNegligible = 1e-30;
  const auto dead = factor.abs().lt(kNegligible);
  return at::where(dead, weight, quantised.div(factor.masked_fill(dead, 1)));
}

GridAxes weight_grid_axes(const Node& node) {
  return node.attributes.has("axis") ? grid_axes(node) : GridAxes(0);
}

/// All axes but the channels'.
std::vector<int64_t> other_axes(const at::Tensor& value) {
  std::vector<int64_t> axes{0};
  for (int64_t axis = 2; axis < value.dim(); ++axis) axes.push_back(axis);
  return axes;
}

}  // namespace

FoldedConvolution::FoldedConvolution(const Node& node)
    : convolve_(convolution_of(node)), spec_(grid_spec(node)), axes_(weight_grid_axes(node)),
      scheme_(node.attributes.text("scheme", "single") == "exact" ? FoldingScheme::exact : FoldingScheme::single),
      frozen_(node.attributes.integer("frozen", 0) != 0), epsilon_(node.attributes.number("epsilon", 1e-5)),
      momentum_(1 - node.attributes.number("momentum", 0.9)) {}

bool FoldedConvolution::commutes() const {
  return axes_.axis == 0 && spec_.is_integer() && spec_.scale_rule == ScaleRule::exact;
}

at::Tensor FoldedConvolution::factor(const Call& call) const {
  return call.in(kGamma).div(call.in(kVariance).add(epsilon_).sqrt());
}

at::Tensor FoldedConvolution::folded(const Call& call, const at::Tensor& factor) const {
  return call.in(kWeight).mul(per_output(factor, call.in(kWeight)));
}

FoldedConvolution::Convolved FoldedConvolution::convolve(const Call& call) const {
  const auto &weight = call.in(kWeight), gamma = call.in(kGamma).detach();
  const auto along = commutes() ? at::where(gamma.lt(0), gamma.new_full({}, -1), gamma.new_full({}, 1)) : factor(call);
  const auto per_channel = per_output(along.detach(), weight);
  const auto folded = weight.mul(per_channel);
  const auto range = value_range(folded, axes_);
  const auto grid = make_grid(range.min, range.max, spec_);
  const auto quantised = fake_quantize(folded, grid, spec_, axes_);
  const auto effective = commutes() ? quantised.mul(per_channel) : unfolded(quantised, weight, per_channel);
  return {convolve_(call.in(kX), effective, {}), commutes() ? grid : Grid()};
}

void FoldedConvolution::follow_statistics(const Call& call, const Grid& plain) const {
  const at::NoGradGuard no_grad;
  // Of the values behind data(), autograd does not ask whether they changed: batch-norm holds the running mean, but its
  // gradient does not need it.
  if (call.has(kBias)) call.in(kMean).data().add_(call.in(kBias), momentum_);
  const auto factor = this->factor(call);
  if (commutes()) {
    const auto along = axes_.group_size > 0 ? factor.unsqueeze(1) : factor;
    const auto scale = plain.scale.mul(along.abs());
    write_grid({scale.masked_fill(scale.eq(0), 1), plain.zero_point}, call.in(kScale), call.in(kZeroPoint));
    return;
  }
  const auto range = value_range(folded(call, factor), axes_);
  write_grid(make_grid(range.min, range.max, spec_), call.in(kScale), call.in(kZeroPoint));
}

void FoldedConvolution::train(Call& call) const {
  if (frozen_) return train_frozen(call);
  if (scheme_ == FoldingScheme::exact) return train_exact(call);
  const auto convolved = convolve(call);
  call.out() = at::batch_norm(convolved.value, call.in(kGamma), call.in(kBeta), call.in(kMean), call.in(kVariance),
                              /*training=*/true, momentum_, epsilon_, /*cudnn_enabled=*/true);
  follow_statistics(call, convolved.plain);
}

void FoldedConvolution::train_exact(Call& call) const {
  const auto plain = convolve_(call.in(kX), call.in(kWeight), {});
  const auto [variance, mean] = at::var_mean(plain, other_axes(plain), /*correction=*/0);
  {
    const at::NoGradGuard no_grad;
    const auto count = static_cast<double>(plain.numel() / plain.size(1));
    const auto batch_mean = call.has(kBias) ? mean.add(call.in(kBias)) : mean;
    at::Tensor(call.in(kMean)).mul_(1 - momentum_).add_(batch_mean, momentum_);
    at::Tensor(call.in(kVariance)).mul_(1 - momentum_).add_(variance, momentum_ * count / std::max(count - 1, 1.0));
  }
  const auto factor = this->factor(call), folded = this->folded(call, factor);
  const auto convolved = convolve_(call.in(kX), renewed(call, folded), {});
  const auto inverse = variance.add(epsilon_).rsqrt();
  const auto rescale = call.in(kVariance).add(epsilon_).sqrt().mul(inverse);
  const auto offset = call.in(kBeta).sub(call.in(kGamma).mul(mean).mul(inverse));
  const auto channels = [&](const at::Tensor& values) { return along_axis(values, 1, plain.dim()); };
  call.out() = convolved.mul(channels(rescale)).add(channels(offset));
}

at::Tensor FoldedConvolution::renewed(const Call& call, const at::Tensor& folded) const {
  const auto range = value_range(folded, axes_);
  const auto grid = make_grid(range.min, range.max, spec_);
  write_grid(grid, call.in(kScale), call.in(kZeroPoint));
  return fake_quantize(folded, grid, spec_, axes_);
}

at::Tensor FoldedConvolution::folded_bias(const Call& call, const at::Tensor& factor) const {
  const auto offset = call.has(kBias) ? call.in(kBias).sub(call.in(kMean)) : call.in(kMean).neg();
  return call.in(kBeta).add(offset.mul(factor));
}

void FoldedConvolution::train_frozen(Call& call) const {
  const auto factor = this->factor(call);
  call.out() = convolve_(call.in(kX), renewed(call, folded(call, factor)), folded_bias(call, factor));
}

FoldedWeights FoldedConvolution::fold(const Call& call) const {
  const auto factor = this->factor(call);
  return {.weight = fake_quantize(folded(call, factor), {call.in(kScale), call.in(kZeroPoint)}, spec_, axes_),
          .bias = folded_bias(call, factor)};
}

void FoldedConvolution::evaluate(Call& call) const {
  const auto folded = fold(call);
  call.out() = convolve_(call.in(kX), folded.weight, folded.bias);
}

namespace {

Kernel folded_kernel(const Node& node) {
  return [folded = Folded(node)](Call& call) { call.mode == Mode::train ? folded.train(call) : folded.evaluate(call); };
}

std::vector<ValueInfo> linear_infer(const InferCall& call) {
  const auto &x = call.shape(Folded::kX), &weight = call.shape(Folded::kWeight);
  if (x.size() != 2 || x[1] != weight[1])
    throw request_error("input of shape {} and weight of shape {} do not make a linear layer", shape_text(x),
                        shape_text(weight))
        .hint("the weight is [outputs, inputs], the input [batch, inputs]");
  return {{.shape = {x[0], weight[0]}, .type = call.in(0).type}};
}

std::vector<ValueInfo> folded_infer(const InferCall& call) {
  grid_spec(call.node);
  const auto& weight = call.shape(Folded::kWeight);
  if (weight.size() < 2) throw request_error("a weight of shape {} has no inputs and outputs", shape_text(weight));
  for (size_t i = Folded::kBias; i < Folded::kScale; ++i)
    if (call.has(i) && call.shape(i) != Shape{weight[0]})
      throw request_error("input {} has shape {}, but there are {} output channels", i, shape_text(call.shape(i)),
                          weight[0]);
  const auto axes = weight_grid_axes(call.node);
  if (axes.axis != 0 && axes.axis != -1)
    throw request_error("attribute 'axis' is {}", axes.axis)
        .hint("0: a scale for each output channel; -1: one for the whole weight");
  Shape grid;
  if (axes.axis == 0) grid.push_back(weight[0]);
  if (axes.group_size > 0) grid.push_back(weight[1] / axes.group_size);
  for (const size_t i : {Folded::kScale, Folded::kZeroPoint})
    if (call.shape(i) != grid)
      throw request_error("input {} has shape {}, but the weight's grid {}", i, shape_text(call.shape(i)),
                          shape_text(grid));
  return weight.size() == 2 ? linear_infer(call) : conv_infer(call);
}

void folded_channels(ChannelFlow& flow) {
  const auto outputs = conv_channels(flow);
  const auto last = weight_grid_axes(flow.node()).axis == 0 ? Folded::kInputs : Folded::kScale;
  for (size_t i = Folded::kBias; i < last; ++i) flow.bind(i, 0, outputs);
}

int folded_weight_axis(const Node&) {
  return 0;
}

Op folded_op() {
  using enum AttributeSpec::Type;
  Op op{.name = "ConvBatchNormalization",
        .doc = "convolution or linear layer with batch-norm and a quantised folded weight, for quantisation-aware "
               "training",
        .domain = "compress",
        .min_inputs = Folded::kInputs,
        .max_inputs = Folded::kInputs,
        .attributes = conv_attributes(),
        .kernel = folded_kernel,
        .gradient = Gradient::straight,
        .infer = folded_infer,
        .macs = conv_macs,
        .channels = folded_channels,
        .resize = conv_resize,
        .quantization = Quantization::weighted,
        .weight_input = Folded::kWeight,
        .bias_input = Folded::kBias,
        .weight_axis = folded_weight_axis};
  for (const AttributeSpec& spec :
       {AttributeSpec{"accumulator_bits", integer}, AttributeSpec{"axis", integer}, AttributeSpec{"bits", integer},
        AttributeSpec{"epsilon", number}, AttributeSpec{"format", text}, AttributeSpec{"frozen", integer},
        AttributeSpec{"group_size", integer}, AttributeSpec{"input_axis", integer},
        AttributeSpec{"layer", text, false, "Conv|Gemm"}, AttributeSpec{"momentum", number},
        AttributeSpec{"multiplier_bits", integer}, AttributeSpec{"narrow_range", integer},
        AttributeSpec{"scale_rule", text, false, "exact|power_of_two"},
        AttributeSpec{"scheme", text, false, "single|exact"}, AttributeSpec{"signed", integer},
        AttributeSpec{"symmetric", integer}})
    op.attributes.push_back(spec);
  return op;
}

}  // namespace

FoldedWeights folded_weights(const Node& node, std::span<const at::Tensor* const> inputs) {
  return FoldedConvolution(node).fold({.inputs = inputs, .outputs = {}});
}

namespace families {
extern const OpFamily conv_batch_normalization{{folded_op()}};
}

}  // namespace compress::ops
