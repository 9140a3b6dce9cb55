#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> gradient_ranked_filter_pruner_agp;
const Entry<Pruner> gradient_ranked_filter_pruner_agp{
    "GradientRankedFilterPruner_AGP",
    "removes the filters whose sum of weight times gradient is smallest, more and more of them along a cubic curve "
    "(AGP)",
    []() -> std::unique_ptr<Pruner> {
      return std::make_unique<RankedPruner>(
          RankedForm{.criterion = "gradient", .share = RankedShare::gradual, .filters_only = true});
    }};

}  // namespace compress::prune
