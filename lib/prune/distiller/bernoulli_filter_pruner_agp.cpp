#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> bernoulli_filter_pruner_agp;
const Entry<Pruner> bernoulli_filter_pruner_agp{
    "BernoulliFilterPruner_AGP", "removes each filter with a probability that grows along a cubic curve (AGP)",
    []() -> std::unique_ptr<Pruner> {
      return std::make_unique<RankedPruner>(
          RankedForm{.criterion = "bernoulli", .share = RankedShare::gradual, .filters_only = true, .by_chance = true});
    }};

}  // namespace compress::prune
