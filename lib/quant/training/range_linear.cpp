#include "quant/training/range_linear.h"

namespace compress::quant {

void RangeLinearArguments::declare_layer(Settings& settings) {
  TrainingBits::declare(settings);
  settings.choice("mode", mode, distiller_modes(), "grid of values and weights");
  settings.optional("ema_decay", ema_decay, "share of the old average in a new one",
                    Range{.low = 0, .high = 1, .open_low = true, .open_high = true});
  settings.optional("per_channel_wts", per_channel, "a scale for each output channel of a weight instead of one");
}

LayerRule RangeLinearArguments::rule() const {
  TensorRule values{.bits = activations, .grid = mode, .method = "ema"};
  values.method_arguments.set("ema_decay", ema_decay);
  return {.activations = values,
          .weights = {.bits = weights, .grid = mode, .per_channel = per_channel, .method = "minmax"},
          .bias = bias_rule()};
}

void RangeLinearQuantizer::declare(Settings& settings) {
  RuledQuantizer::declare(settings);
  settings.custom(folding_field(folding_));
  freeze_delay_.declare(settings);
}

void RangeLinearQuantizer::on_minibatch_begin(train::State& state) {
  RuledQuantizer::on_minibatch_begin(state);
  freeze_delay_.on_minibatch_begin(state);
}

void RangeLinearQuantizer::on_minibatch_end(train::State& state) {
  freeze_delay_.on_minibatch_end(state);
}

train::Memory RangeLinearQuantizer::save() const {
  auto memory = TrainingQuantizer::save();
  freeze_delay_.save(memory);
  return memory;
}

void RangeLinearQuantizer::load(const train::Memory& memory) {
  TrainingQuantizer::load(memory);
  freeze_delay_.load(memory);
}

}  // namespace compress::quant
