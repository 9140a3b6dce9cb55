#pragma once

#include "quant/rules/grid_words.h"
#include "quant/training/freeze_delay.h"
#include "quant/training/training_quantizer.h"

namespace compress::quant {

struct RangeLinearArguments : TrainingBits {
  ops::GridSpec mode = kSymmetric;
  double ema_decay = 0.999;
  bool per_channel = false;

  void declare_layer(Settings& settings);
  LayerRule rule() const;
};

/// What Distiller's range-linear quantisers share: training runs on the grids of the quantised network; ranges of
/// values are bias-corrected moving averages of each batch's least and greatest number, those of weights follow the
/// weights at every step.
class RangeLinearQuantizer : public RuledQuantizer<RangeLinearArguments> {
public:
  explicit RangeLinearQuantizer(Inputs inputs) : RuledQuantizer(Calibrates::no, inputs) {
    folding_ = ops::FoldingScheme::single;
  }
  void declare(Settings& settings) override;
  void on_minibatch_begin(train::State& state) override;
  void on_minibatch_end(train::State& state) override;
  train::Memory save() const override;
  void load(const train::Memory& memory) override;

private:
  FreezeDelay freeze_delay_;
};

}  // namespace compress::quant
