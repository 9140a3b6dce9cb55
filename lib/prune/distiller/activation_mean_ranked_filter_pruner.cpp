#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> activation_mean_ranked_filter_pruner;
const Entry<Pruner> activation_mean_ranked_filter_pruner{
    "ActivationMeanRankedFilterPruner", "removes the filters of smallest mean activation",
    []() -> std::unique_ptr<Pruner> {
      return std::make_unique<RankedPruner>(RankedForm{.criterion = "mean_activation", .filters_only = true});
    }};

}  // namespace compress::prune
