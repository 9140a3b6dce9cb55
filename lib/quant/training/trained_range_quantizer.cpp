#include "quant/rules/layer_arguments.h"
#include "quant/training/training_quantizer.h"

/// AIMET's range learning: both ends of every range are parameters, which begin where an
/// observer puts them.
namespace compress::quant {
namespace {

struct TrainedRangeArguments : TrainingBits {
  ops::GridSpec values = kAsymmetricUnsigned, parameters = kSymmetricRestricted;
  bool per_channel = false;
  PartSetting<Observer> observer = observer_setting("observer");

  void declare_layer(Settings& settings) {
    TrainingBits::declare(settings);
    settings.choice("activations", values, integer_grid_words(), "grid of values");
    settings.choice("weights", parameters, integer_grid_words(), "grid of weights");
    settings.optional("per_channel_weights", per_channel, "a range for each output channel of a weight instead of one");
    settings.custom(observer.field("chooses the ranges of values to begin with; null: min_max", nullptr, true));
  }
  LayerRule rule() const {
    TensorRule learned{.bits = activations, .grid = values, .method = "trained_range"};
    if (observer.given()) learned.observer = observer.make();
    return {.activations = learned,
            .weights = {.bits = weights, .grid = parameters, .per_channel = per_channel, .method = "trained_range"},
            .bias = bias_rule()};
  }
};

class TrainedRangeQuantizer final : public RuledQuantizer<TrainedRangeArguments> {
public:
  TrainedRangeQuantizer() : RuledQuantizer(Calibrates::yes, Inputs::quantised) {}
};

}  // namespace

extern const Entry<Quantizer> trained_range_quantizer{.name = "TrainedRangeQuantizer",
                                                      .doc = "both ends of every range are learned (AIMET's)",
                                                      .make = make_component<Quantizer, TrainedRangeQuantizer>};

}  // namespace compress::quant
