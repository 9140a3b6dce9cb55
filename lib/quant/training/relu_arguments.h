#pragma once

#include "quant/rules/grid_words.h"
#include "quant/training/training_quantizer.h"

namespace compress::quant {

/// Arguments of quantisers that are about outputs of ReLUs (and Clips from 0 on): the method of the paper says nothing
/// of other values, which may be negative.
struct ReluArguments : TrainingBits {
  bool relu_only = true;

  void declare_layer(Settings& settings) {
    TrainingBits::declare(settings);
    settings.optional("relu_only", relu_only,
                      "only outputs of ReLUs are put on a grid; false: other values too, by moving averages of their "
                      "extremes");
  }

  /// `rectified` and `weights` by the class's method; what it says nothing of, here.
  LayerRule rule_of(TensorRule rectified, TensorRule weights) const {
    TensorRule others{.bits = relu_only ? std::nullopt : activations, .grid = kAsymmetricUnsigned, .method = "ema"};
    others.method_arguments.set("ema_decay", 0.999);
    return {
        .activations = others, .weights = std::move(weights), .bias = bias_rule(), .rectified = std::move(rectified)};
  }
};

inline constexpr ops::GridSpec kUnsigned{.is_signed = false, .symmetric = true};

}  // namespace compress::quant
