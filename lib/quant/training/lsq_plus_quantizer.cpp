#include "quant/rules/grid_words.h"
#include "quant/training/step_size_observers.h"
#include "quant/training/training_quantizer.h"

/// LSQ+ (Bhalgat et al. 2020): scales are learned, and offsets of values too, for activation functions that go a little
/// below 0. Values begin where their mean squared error is least, weights at three standard deviations.
namespace compress::quant {
namespace {

struct LsqPlusArguments : TrainingBits {
  bool per_channel = false;

  void declare_layer(Settings& settings) {
    TrainingBits::declare(settings);
    settings.optional("per_channel_weights", per_channel, "a step for each output channel of a weight instead of one");
  }
  LayerRule rule() const {
    TensorRule values{
        .bits = activations, .grid = kAsymmetricUnsigned, .observer = observers().make("mse"), .method = "lsq_plus"};
    values.method_arguments.set("batched", int64_t{1});
    return {.activations = values,
            .weights = {.bits = weights,
                        .grid = kSymmetric,
                        .observer = std::make_shared<const ThreeSigmaObserver>(),
                        .per_channel = per_channel,
                        .method = "lsq"},
            .bias = bias_rule()};
  }
};

class LsqPlusQuantizer final : public RuledQuantizer<LsqPlusArguments> {
public:
  LsqPlusQuantizer() : RuledQuantizer(Calibrates::yes, Inputs::quantised) {}
};

}  // namespace

extern const Entry<Quantizer> lsq_plus_quantizer{.name = "LsqPlusQuantizer",
                                                 .doc = "every scale is learned, and the offsets of values (LSQ+)",
                                                 .make = make_component<Quantizer, LsqPlusQuantizer>};

}  // namespace compress::quant
