#pragma once

#include "core/part_setting.h"
#include "quant/rules/grid_words.h"
#include "quant/rules/layer_rules.h"
#include "quant/runtime/runtime.h"

namespace compress::quant {

/// An observer as an argument: a word, or a map of `class` and arguments.
PartSetting<Observer> observer_setting(std::string name);

/// What PostTrainQuantizer takes for all layers, and in `overrides` for some.
struct LayerArguments {
  /// Values between operators, or one input of a layer.
  struct Values {
    std::optional<int64_t> bits = 8;
    std::optional<ops::GridSpec> grid = {};  ///< absent: the runtime's
    PartSetting<Observer> observer = observer_setting("observer");
    bool dynamic = false;
    bool from_output = false;
    ops::ScaleRule scale_rule = ops::ScaleRule::exact;
    const Runtime* runtime = nullptr;

    void declare(Settings& settings);
    void declare_grid(Settings& settings);
    void check() const;
    TensorRule rule() const;
  };

  Values values;
  std::optional<int64_t> bits_weights = 8, bits_bias = {}, bits_accum = {}, multiplier_bits = {}, fpq_module = {};
  std::optional<ops::GridSpec> weights = {};  ///< absent: the runtime's
  std::optional<bool> per_channel = {};       ///< absent: the runtime's
  PartSetting<Observer> weight_observer = observer_setting("weight_observer");
  int64_t group_size = 0;
  bool fake = false;
  Yaml input_overrides = {};

  void declare_defaults(Settings& settings);  ///< what holds for all layers
  void declare_layer(Settings& settings);     ///< and what overrides take besides
  void check() const;
  LayerRule rule() const;

private:
  TensorRule weight_rule() const;
};

}  // namespace compress::quant
