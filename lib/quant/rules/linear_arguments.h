#pragma once

#include "quant/rules/grid_words.h"
#include "quant/rules/layer_rules.h"

namespace compress::quant {

/// What Distiller's PostTrainLinearQuantizer takes for all layers, and in `overrides` for some.
struct LinearArguments {
  enum class Clip { none, avg, n_std, gauss, laplace };

  /// Values between operators, or one input of a layer.
  struct Values {
    std::optional<int64_t> bits = 8;
    ops::GridSpec mode = kSymmetric;
    Clip clip = Clip::none;
    std::optional<double> n_stds = {};
    bool half_range = false;
    bool from_output = false;
    bool dynamic = false;  ///< each batch has its own range

    void declare(Settings& settings);  ///< as the entry of an input
    void declare_clip(Settings& settings);
    void check() const;
    /// `half`: the values are those of a distribution's upper half.
    TensorRule rule(bool half) const;
    TensorRule rule() const { return rule(half_range); }
  };

  Values values;
  ops::GridSpec weight_mode = kSymmetric;
  std::optional<int64_t> bits_parameters = 8, fpq_module = {}, mult_bits = {};
  int64_t bits_accum = 32;
  bool per_channel = false, fp16 = false, also_clip_weights = false;
  bool fake = false, make_identity = false, quantize_inputs = true;  ///< of single layers
  Yaml input_overrides = {};

  void declare_defaults(Settings& settings);  ///< what the quantiser takes
  void declare_layer(Settings& settings);     ///< what an override takes
  void check() const;
  LayerRule rule() const;

private:
  void declare_common(Settings& settings);
  Field mode_field();
};

}  // namespace compress::quant
