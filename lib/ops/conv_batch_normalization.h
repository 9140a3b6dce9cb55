#pragma once

#include "ops/conv.h"
#include "ops/quantization_grid.h"

/// Convolution (or, with a weight of two axes, linear layer) and batch-norm as one node, for quantisation-aware
/// training: what is quantised is the *folded* weight w * f, with f = gamma / sqrt(running_var + epsilon). Evaluation
/// folds, quantises with the stored grid, and convolves once.
///
/// Training by the scheme `single` convolves once with the plain weight that the folded one's integers stand for,
/// quantise(w * f) / f, and gives the result to the ordinary batch-norm: the batch's statistics, the running statistics
/// and all gradients are those of a batch-norm behind a convolution with that weight; f is a constant. Where the grid's
/// scale is proportional to each channel's weights (per channel, exact scales) folding and quantising commute, so that
/// quantise(w) with the sign of f is the same: then f is not even needed, and channels with gamma = 0 are no exception.
/// On other grids (one scale for all channels, powers of two, formats that are no integers) f comes from the running
/// variance before the batch, and channels with f = 0 keep their weight as it is, since their output is beta anyway.
///
/// By the scheme `exact` (Distiller's SimulatedFoldedBatchNorm) a first convolution with the plain
/// weight gives the batch's statistics, which move the running ones; the second one has the quantised folded weight,
/// and its result is multiplied by sigma_running / sigma_batch.
///
/// A frozen batch-norm (attribute `frozen`) trains in its folded form, with the running statistics.
///
/// All write the folded weight's grid after the running statistics have moved. A bias of the layer moves the running
/// mean and gets no gradient: the batch's mean takes it away again.
namespace compress::ops {

enum class FoldingScheme { single, exact };

class FoldedConvolution {
public:
  /// The node's inputs.
  enum Input : size_t { kX, kWeight, kBias, kGamma, kBeta, kMean, kVariance, kScale, kZeroPoint, kInputs };

  explicit FoldedConvolution(const Node& node);

  FoldingScheme scheme() const { return scheme_; }
  bool frozen() const { return frozen_; }
  const GridSpec& spec() const { return spec_; }
  const GridAxes& axes() const { return axes_; }
  double epsilon() const { return epsilon_; }
  double momentum() const { return momentum_; }  ///< PyTorch's: the share of the new statistics

  /// A training step: exact, single or frozen.
  void train(Call& call) const;
  /// The single scheme in two halves, for whoever runs the batch-norm between them himself: the convolution, ...
  struct Convolved {
    at::Tensor value;  ///< without the layer's bias
    Grid plain;        ///< where folding and quantising commute: the grid of the plain weight
  };
  Convolved convolve(const Call& call) const;
  /// ... and, when the running statistics have moved by this batch, what follows them: bias and grid.
  void follow_statistics(const Call& call, const Grid& plain) const;

  /// What evaluation convolves with.
  FoldedWeights fold(const Call& call) const;
  void evaluate(Call& call) const;

private:
  bool commutes() const;
  at::Tensor factor(const Call& call) const;
  at::Tensor folded(const Call& call, const at::Tensor& factor) const;
  at::Tensor folded_bias(const Call& call, const at::Tensor& factor) const;
  /// The weight on its grid, which is written.
  at::Tensor renewed(const Call& call, const at::Tensor& folded) const;
  void train_exact(Call& call) const;
  void train_frozen(Call& call) const;

  Convolution convolve_;
  GridSpec spec_;
  GridAxes axes_;
  FoldingScheme scheme_;
  bool frozen_;
  double epsilon_, momentum_;
};

}  // namespace compress::ops
