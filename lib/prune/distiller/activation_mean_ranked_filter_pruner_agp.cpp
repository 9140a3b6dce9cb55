#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> activation_mean_ranked_filter_pruner_agp;
const Entry<Pruner> activation_mean_ranked_filter_pruner_agp{
    "ActivationMeanRankedFilterPruner_AGP",
    "removes the filters of smallest mean activation, more and more of them along a cubic curve (AGP)",
    []() -> std::unique_ptr<Pruner> {
      return std::make_unique<RankedPruner>(
          RankedForm{.criterion = "mean_activation", .share = RankedShare::gradual, .filters_only = true});
    }};

}  // namespace compress::prune
