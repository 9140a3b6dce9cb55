#include "quant/training/range_linear.h"

/// Distiller's NCFQuantAwareTrainQuantizer, for recommenders: outputs of products, concatenations
/// and linear layers have grids, the last layer's too; inputs, which are indices, have none.
namespace compress::quant {
namespace {

class NcfQuantAwareTrainQuantizer final : public RangeLinearQuantizer {
public:
  NcfQuantAwareTrainQuantizer() : RangeLinearQuantizer(Inputs::kept) { quantize_outputs_ = true; }
};

}  // namespace

extern const Entry<Quantizer> ncf_quant_aware_train_quantizer{
    .name = "NCFQuantAwareTrainQuantizer",
    .doc =
        "as QuantAwareTrainRangeLinearQuantizer, for recommenders: outputs have grids, inputs have none (Distiller's)",
    .make = make_component<Quantizer, NcfQuantAwareTrainQuantizer>};

}  // namespace compress::quant
