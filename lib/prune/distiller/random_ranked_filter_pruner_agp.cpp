#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> random_ranked_filter_pruner_agp;
const Entry<Pruner> random_ranked_filter_pruner_agp{
    "RandomRankedFilterPruner_AGP", "removes filters at random, more and more of them along a cubic curve (AGP)",
    []() -> std::unique_ptr<Pruner> {
      return std::make_unique<RankedPruner>(
          RankedForm{.criterion = "random", .share = RankedShare::gradual, .filters_only = true});
    }};

}  // namespace compress::prune
