#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> activation_apoz_ranked_filter_pruner_agp;
const Entry<Pruner> activation_apoz_ranked_filter_pruner_agp{
    "ActivationAPoZRankedFilterPruner_AGP",
    "removes the filters whose activations are zero most often, more and more of them along a cubic curve (AGP)",
    []() -> std::unique_ptr<Pruner> {
      return std::make_unique<RankedPruner>(
          RankedForm{.criterion = "apoz", .share = RankedShare::gradual, .filters_only = true});
    }};

}  // namespace compress::prune
