#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> activation_apoz_ranked_filter_pruner;
const Entry<Pruner> activation_apoz_ranked_filter_pruner{
    "ActivationAPoZRankedFilterPruner", "removes the filters whose activations are zero most often",
    []() -> std::unique_ptr<Pruner> {
      return std::make_unique<RankedPruner>(RankedForm{.criterion = "apoz", .filters_only = true});
    }};

}  // namespace compress::prune
