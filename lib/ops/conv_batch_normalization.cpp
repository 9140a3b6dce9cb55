#include "core/text.h"
#include "ops/channels.h"
#include "ops/conv.h"
#include "ops/quantization_grid.h"
#include "ops/shape.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/where.h>

/// Convolution and batch-norm as one node, for quantisation-aware training: what is quantised is the *folded* weight w
/// * f, with f = gamma / sqrt(running_var + epsilon), one symmetric scale per output channel.
///
/// Such a scale is proportional to the channel's largest weight, so folding and quantising commute: quantise(w * f) / f
/// rounds the same integers as quantise(w) on the scale absmax(w) / steps (with the sign of f, where the grid is not
/// symmetric to the last integer). Training therefore convolves once with the quantised plain weight and gives the
/// result to the ordinary batch-norm: the batch's statistics, the running statistics and all gradients are exact,
/// nothing is divided by gamma, and channels with gamma = 0 need no exception. The scale of the folded weight is
/// written after the running statistics have moved. Evaluation folds, quantises with the stored scale, and convolves
/// once.
namespace compress::ops {

namespace {

enum Input : size_t { kX, kWeight, kBias, kGamma, kBeta, kMean, kVariance, kScale, kZeroPoint, kInputs };

struct Folding {
  Convolution convolve;
  GridSpec spec;
  double epsilon = 1e-5;
  double momentum = 0.1;  ///< PyTorch's: the share of the new statistics

  at::Tensor factor(const Call& call) const { return call.in(kGamma).div(call.in(kVariance).add(epsilon).sqrt()); }
};

/// A tensor [O] as [O,1,1,1], to go with the weight.
at::Tensor per_output(const at::Tensor& values, const at::Tensor& weight) {
  return along_axis(values, 0, weight.dim());
}

void train_folded(Call& call, const Folding& folding) {
  const auto& weight = call.in(kWeight);
  const auto range = value_range(weight, 0);
  const auto reach = make_grid(range.min, range.max, folding.spec);
  const auto& gamma = call.in(kGamma);
  const auto sign = per_output(at::where(gamma.detach().lt(0), gamma.new_full({}, -1), gamma.new_full({}, 1)), weight);
  const auto quantised = fake_quantize(weight.mul(sign), reach, folding.spec, 0).mul(sign);
  const auto plain = folding.convolve(call.in(kX), quantised, call.in_or_none(kBias));
  call.out() = at::batch_norm(plain, gamma, call.in(kBeta), call.in(kMean), call.in(kVariance), /*training=*/true,
                              folding.momentum, folding.epsilon, /*cudnn_enabled=*/true);
  const at::NoGradGuard no_grad;
  const auto scale = reach.scale.mul(folding.factor(call).abs());
  write_grid({scale.masked_fill(scale.eq(0), 1), reach.zero_point}, call.in(kScale), call.in(kZeroPoint));
}

FoldedWeights fold(const Call& call, const Folding& folding) {
  const auto factor = folding.factor(call);
  const auto folded = call.in(kWeight).mul(per_output(factor, call.in(kWeight)));
  const auto offset = call.has(kBias) ? call.in(kBias).sub(call.in(kMean)) : call.in(kMean).neg();
  return {.weight = fake_quantize(folded, {call.in(kScale), call.in(kZeroPoint)}, folding.spec, 0),
          .bias = call.in(kBeta).add(offset.mul(factor))};
}

void run_folded(Call& call, const Folding& folding) {
  const auto folded = fold(call, folding);
  call.out() = folding.convolve(call.in(kX), folded.weight, folded.bias);
}

Folding folding_of(const Node& node) {
  auto spec = grid_spec(node);
  spec.is_signed = spec.symmetric = true;
  return {.convolve = convolution_of(node),
          .spec = spec,
          .epsilon = node.attributes.number("epsilon", 1e-5),
          .momentum = 1 - node.attributes.number("momentum", 0.9)};
}

Kernel folded_kernel(const Node& node) {
  return [folding = folding_of(node)](Call& call) {
    call.mode == Mode::train ? train_folded(call, folding) : run_folded(call, folding);
  };
}

std::vector<ValueInfo> folded_infer(const InferCall& call) {
  grid_spec(call.node);
  for (size_t i = kBias; i < kInputs; ++i)
    if (call.has(i) && call.shape(i) != Shape{call.shape(kWeight)[0]})
      throw request_error("input {} has shape {}, but there are {} output channels", i, shape_text(call.shape(i)),
                          call.shape(kWeight)[0]);
  return conv_infer(call);
}

void folded_channels(ChannelFlow& flow) {
  const auto outputs = conv_channels(flow);
  for (size_t i = kBias; i < kInputs; ++i) flow.bind(i, 0, outputs);
}

int folded_weight_axis(const Node&) {
  return 0;
}

Op folded_op() {
  using enum AttributeSpec::Type;
  Op op{.name = "ConvBatchNormalization",
        .doc = "convolution and batch-norm with a quantised folded weight, for quantisation-aware training",
        .domain = "compress",
        .min_inputs = kInputs,
        .max_inputs = kInputs,
        .attributes = conv_attributes(),
        .kernel = folded_kernel,
        .gradient = Gradient::straight,
        .infer = folded_infer,
        .macs = conv_macs,
        .channels = folded_channels,
        .resize = conv_resize,
        .quantization = Quantization::weighted,
        .weight_input = kWeight,
        .bias_input = kBias,
        .weight_axis = folded_weight_axis};
  for (const AttributeSpec& spec : {AttributeSpec{"bits", integer}, AttributeSpec{"epsilon", number},
                                    AttributeSpec{"momentum", number}, AttributeSpec{"narrow_range", integer}})
    op.attributes.push_back(spec);
  return op;
}

}  // namespace

FoldedWeights folded_weights(const Node& node, std::span<const at::Tensor* const> inputs) {
  return fold({.inputs = inputs, .outputs = {}}, folding_of(node));
}

namespace families {
extern const OpFamily conv_batch_normalization{{folded_op()}};
}

}  // namespace compress::ops
