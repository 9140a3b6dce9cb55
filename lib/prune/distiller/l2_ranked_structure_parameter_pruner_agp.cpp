#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> l2_ranked_structure_parameter_pruner_agp;
const Entry<Pruner> l2_ranked_structure_parameter_pruner_agp{
    "L2RankedStructureParameterPruner_AGP",
    "removes the structures of smallest Euclidean norm, more and more of them along a cubic curve (AGP)",
    []() -> std::unique_ptr<Pruner> {
      return std::make_unique<RankedPruner>(RankedForm{.criterion = "l2", .share = RankedShare::gradual});
    }};

}  // namespace compress::prune
