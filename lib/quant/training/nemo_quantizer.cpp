#include "quant/training/relu_arguments.h"

/// NEMO's fake quantisation (PACT_Act and PACT_Conv2d): outputs of ReLUs clipped at a learned alpha that begins with
/// what calibration sees, weights clipped to a learned [-alpha, beta] that begins with their extremes. Differences:
/// values round to the nearest number where NEMO takes the floor, so that what is trained is what a runtime's quantiser
/// computes; 2^bits integers with a zero point where NEMO's data-dependent windows need a bit more.
namespace compress::quant {
namespace {

struct NemoArguments : ReluArguments {
  bool per_channel = false;

  NemoArguments() { relu_only = false; }
  void declare_layer(Settings& settings) {
    ReluArguments::declare_layer(settings);
    settings.optional("per_channel_weights", per_channel,
                      "bounds for each output channel of a weight (NEMO: one pair)");
  }
  LayerRule rule() const {
    return rule_of(
        {.bits = activations, .grid = kUnsigned, .method = "pact"},
        {.bits = weights, .grid = kAsymmetricUnsigned, .per_channel = per_channel, .method = "pact_asymmetric"});
  }
};

class NemoQuantizer final : public RuledQuantizer<NemoArguments> {
public:
  NemoQuantizer() : RuledQuantizer(Calibrates::yes, Inputs::quantised) {}
};

}  // namespace

extern const Entry<Quantizer> nemo_quantizer{
    .name = "NemoQuantizer",
    .doc = "outputs of ReLUs and both bounds of weights clipped where training learns to (NEMO's PACT)",
    .make = make_component<Quantizer, NemoQuantizer>};

}  // namespace compress::quant
