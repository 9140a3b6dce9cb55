#pragma once

#include "train/hook.h"

#include <ATen/core/Tensor.h>

#include <vector>

namespace compress::train {

/// `training.precision`: what convolutions and matrix products of the training pass compute in. Weights, statistics,
/// loss and optimiser stay float32, and so does evaluation.
enum class Precision { float32, bfloat16, float16 };

/// Throws a request error when the device cannot train in this precision.
void check_precision(Precision precision, at::Device device);

/// LibTorch's autocast, while it lives: operators that gain from it take their operands in the lower precision.
class Autocast {
public:
  Autocast(Precision precision, at::Device device);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

private:
  at::DeviceType device_;
  bool active_;
};

/// Keeps gradients of float16 above its smallest number, as PyTorch's GradScaler: the loss is multiplied by a scale
/// that grows every 2000 good steps and halves when a gradient is not finite; such a step is left out.
class LossScaler {
public:
  explicit LossScaler(at::Device device);

  at::Tensor scaled(const at::Tensor& loss) const { return loss.mul(scale_.squeeze()); }
  /// Divides the gradients by the scale. False when one is not finite: the step is to be left out. Waits for the
  /// device.
  bool unscale(const std::vector<at::Tensor>& gradients);
  /// After each step, also one left out.
  void update();

  Memory save() const;
  void load(const Memory& memory);

private:
  at::Tensor scale_, good_steps_, found_bad_;
};

}  // namespace compress::train
