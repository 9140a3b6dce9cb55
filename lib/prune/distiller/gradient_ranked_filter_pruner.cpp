#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> gradient_ranked_filter_pruner;
const Entry<Pruner> gradient_ranked_filter_pruner{
    "GradientRankedFilterPruner", "removes the filters whose sum of weight times gradient is smallest",
    []() -> std::unique_ptr<Pruner> {
      return std::make_unique<RankedPruner>(RankedForm{.criterion = "gradient", .filters_only = true});
    }};

}  // namespace compress::prune
