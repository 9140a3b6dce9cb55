#include "quant/training/relu_arguments.h"

/// WRPN (Mishra et al. 2017) as Distiller has it: weights are clipped to [-1, 1], outputs of ReLUs to [0, 1]. The wider
/// layers that the paper makes up for few bits with are the model's business.
namespace compress::quant {
namespace {

struct WrpnArguments : ReluArguments {
  LayerRule rule() const {
    return rule_of({.bits = activations, .grid = kUnsigned, .method = "wrpn"},
                   {.bits = weights, .grid = kSymmetric, .method = "wrpn"});
  }
};

class WrpnQuantizer final : public RuledQuantizer<WrpnArguments> {
public:
  WrpnQuantizer() : RuledQuantizer(Calibrates::no, Inputs::kept) {}
};

}  // namespace

extern const Entry<Quantizer> wrpn_quantizer{
    .name = "WRPNQuantizer",
    .doc = "weights clipped to [-1, 1], outputs of ReLUs to [0, 1] (WRPN; Distiller's)",
    .make = make_component<Quantizer, WrpnQuantizer>};

}  // namespace compress::quant
