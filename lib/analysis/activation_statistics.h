#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

namespace compress::analysis {

/// What the channels of a value did on average over all samples seen; [channels], float64.
struct ChannelActivations {
  at::Tensor apoz;      ///< average percentage of zeros, 0 ... 100 (Hu et al. 2016, arXiv:1607.03250)
  at::Tensor mean;      ///< signed mean
  at::Tensor l1;        ///< sum of magnitudes over a sample's positions
  double sparsity = 0;  ///< percent of all elements that are zero
  int64_t samples = 0;
};

/// Statistics of the channels of one value, batch by batch. Each sample weighs the same, however the samples are cut
/// into batches (Distiller averages batches: a smaller last one weighs as much as the others). Sums are float64.
class ActivationStatistics {
public:
  /// `axis`: the channels of a value [samples, ...]; negative ones count from the end ([samples, time, channels]: -1).
  explicit ActivationStatistics(int64_t axis = 1) : axis_(axis) {}

  /// Adds a batch. Throws a run error for a value without that axis, or with another number of channels than before.
  void add(const at::Tensor& value);
  int64_t samples() const { return samples_; }
  /// Throws a run error before the first sample.
  ChannelActivations values() const;

  /// What a checkpoint keeps; load() goes on from there, bit by bit.
  std::map<std::string, at::Tensor> state() const;
  void load(const std::map<std::string, at::Tensor>& state);

private:
  int64_t axis_;
  int64_t samples_ = 0;
  at::Tensor sums_;  ///< [3, channels]: over the samples, of the share that is not zero, the mean, the L1 norm
};

}  // namespace compress::analysis
