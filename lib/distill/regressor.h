#pragma once

#include "core/random.h"
#include "train/hook.h"

#include <string>
#include <vector>

namespace compress::distill {

/// The distance of two tensors of one shape, a scalar.
using Measure = at::Tensor (*)(const at::Tensor&, const at::Tensor&);

/// A learned linear map from the student's channels to the teacher's, the same at every place (a 1x1 convolution), with
/// its own SGD. It learns to bring the student's value near to the teacher's as both are, so its gradient depends
/// neither on the weight of the loss nor on how the backward pass is scaled or split.
class Regressor {
public:
  bool exists() const { return !tensors_.empty(); }
  /// Small random weights, no bias.
  void create(int64_t from, int64_t to, Random random, at::Device device);

  /// Where it computes from now on.
  void to(at::Device device);
  /// Channels are the last axis.
  at::Tensor map(const at::Tensor& x) const;
  /// Adds the gradient of measure(map(x), target), times the samples of this part of the mini-batch.
  void learn(const at::Tensor& x, const at::Tensor& target, Measure measure);
  /// SGD: speed = momentum * speed + gradient; value -= lr * speed. Does nothing when nothing was learnt.
  void step(double lr, double momentum);
  /// Of the student's channels only these positions are left.
  void keep(const std::vector<int64_t>& positions);

  void save(train::Memory& memory, const std::string& prefix) const;
  void load(const train::Memory& memory, const std::string& prefix);

private:
  void descend(const std::string& name, double lr, double momentum);

  /// weight [teacher's, student's channels], bias, and the speed of both; empty until it exists.
  std::map<std::string, at::Tensor> tensors_;
  int64_t samples_ = 0;  ///< in the gradients
};

/// A list of positions as a tensor.
at::Tensor position_tensor(const std::vector<int64_t>& positions, at::Device device);

}  // namespace compress::distill
