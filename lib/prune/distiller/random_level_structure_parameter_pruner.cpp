#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> random_level_structure_parameter_pruner;
const Entry<Pruner> random_level_structure_parameter_pruner{
    "RandomLevelStructureParameterPruner",
    "removes the structures of smallest mean magnitude, a random share of them each time",
    []() -> std::unique_ptr<Pruner> {
      return std::make_unique<RankedPruner>(RankedForm{.criterion = "magnitude", .share = RankedShare::drawn});
    }};

}  // namespace compress::prune
