#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> l1_ranked_structure_parameter_pruner_agp;
const Entry<Pruner> l1_ranked_structure_parameter_pruner_agp{
    "L1RankedStructureParameterPruner_AGP",
    "removes the structures of smallest mean magnitude, more and more of them along a cubic curve (AGP)",
    []() -> std::unique_ptr<Pruner> {
      return std::make_unique<RankedPruner>(RankedForm{.criterion = "magnitude", .share = RankedShare::gradual});
    }};

}  // namespace compress::prune
