#include "quant/rules/grid_words.h"
#include "quant/training/step_size_observers.h"
#include "quant/training/training_quantizer.h"

/// Learned step size quantisation (Esser et al. 2019): each scale is a parameter. Values that cannot be negative have
/// unsigned grids. Where the paper takes the first batch to begin with, calibration samples are taken.
namespace compress::quant {
namespace {

struct LsqArguments : TrainingBits {
  bool per_channel = false;

  void declare_layer(Settings& settings) {
    TrainingBits::declare(settings);
    settings.optional("per_channel_weights", per_channel, "a step for each output channel of a weight instead of one");
  }
  LayerRule rule() const {
    const auto step = std::make_shared<const MeanMagnitudeObserver>();
    TensorRule values{.bits = activations, .grid = kSymmetric, .observer = step, .method = "lsq"};
    values.method_arguments.set("batched", int64_t{1});
    auto rectified = values;
    rectified.grid.is_signed = false;
    return {
        .activations = values,
        .weights = {.bits = weights, .grid = kSymmetric, .observer = step, .per_channel = per_channel, .method = "lsq"},
        .bias = bias_rule(),
        .rectified = rectified};
  }
};

class LsqQuantizer final : public RuledQuantizer<LsqArguments> {
public:
  LsqQuantizer() : RuledQuantizer(Calibrates::yes, Inputs::quantised) {}
};

}  // namespace

extern const Entry<Quantizer> lsq_quantizer{
    .name = "LsqQuantizer", .doc = "every scale is learned (LSQ)", .make = make_component<Quantizer, LsqQuantizer>};

}  // namespace compress::quant
