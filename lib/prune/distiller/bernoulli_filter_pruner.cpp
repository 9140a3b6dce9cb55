#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> bernoulli_filter_pruner;
const Entry<Pruner> bernoulli_filter_pruner{
    "BernoulliFilterPruner", "removes each filter with the same probability", []() -> std::unique_ptr<Pruner> {
      return std::make_unique<RankedPruner>(
          RankedForm{.criterion = "bernoulli", .filters_only = true, .by_chance = true});
    }};

}  // namespace compress::prune
