#include "quant/training/relu_arguments.h"

/// DoReFa-Net (Zhou et al. 2016) as Distiller has it: outputs of ReLUs are clipped to [0, 1], weights squeezed by tanh
/// and quantised between their extremes, or their signs with one magnitude (1 bit).
namespace compress::quant {
namespace {

struct DorefaArguments : ReluArguments {
  DorefaArguments() { least_weights = 1; }
  LayerRule rule() const {
    return rule_of({.bits = activations, .grid = kUnsigned, .method = "dorefa"},
                   {.bits = weights, .grid = kSymmetric, .method = "dorefa"});
  }
};

class DorefaQuantizer final : public RuledQuantizer<DorefaArguments> {
public:
  DorefaQuantizer() : RuledQuantizer(Calibrates::no, Inputs::kept) {}
};

}  // namespace

extern const Entry<Quantizer> dorefa_quantizer{
    .name = "DorefaQuantizer",
    .doc = "weights by their tanh, outputs of ReLUs clipped to [0, 1] (DoReFa; Distiller's)",
    .make = make_component<Quantizer, DorefaQuantizer>};

}  // namespace compress::quant
