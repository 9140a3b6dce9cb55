#include "quant/training/range_linear.h"

/// Distiller's QuantAwareTrainRangeLinearQuantizer. Differences: every value that needs a grid has
/// one, not only the outputs of ReLUs, and convolution with batch-norm is one node that quantises the folded weight.
namespace compress::quant {
namespace {

class QuantAwareTrainRangeLinearQuantizer final : public RangeLinearQuantizer {
public:
  QuantAwareTrainRangeLinearQuantizer() : RangeLinearQuantizer(Inputs::quantised) {}
};

}  // namespace

extern const Entry<Quantizer> quant_aware_train_range_linear{
    .name = "QuantAwareTrainRangeLinearQuantizer",
    .doc = "trains on the grids of the quantised network; ranges are moving averages (Distiller's)",
    .make = make_component<Quantizer, QuantAwareTrainRangeLinearQuantizer>};

}  // namespace compress::quant
