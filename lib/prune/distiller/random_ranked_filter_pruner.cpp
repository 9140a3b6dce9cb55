#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> random_ranked_filter_pruner;
const Entry<Pruner> random_ranked_filter_pruner{
    "RandomRankedFilterPruner", "removes filters at random: what every other ranking must beat",
    []() -> std::unique_ptr<Pruner> {
      return std::make_unique<RankedPruner>(RankedForm{.criterion = "random", .filters_only = true});
    }};

}  // namespace compress::prune
