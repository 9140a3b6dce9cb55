#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> l2_ranked_structure_parameter_pruner;
const Entry<Pruner> l2_ranked_structure_parameter_pruner{
    "L2RankedStructureParameterPruner", "removes the structures of smallest Euclidean norm",
    []() -> std::unique_ptr<Pruner> { return std::make_unique<RankedPruner>(RankedForm{.criterion = "l2"}); }};

}  // namespace compress::prune
