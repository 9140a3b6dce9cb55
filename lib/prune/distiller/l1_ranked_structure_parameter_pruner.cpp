#include "prune/distiller/ranked.h"

namespace compress::prune {

extern const Entry<Pruner> l1_ranked_structure_parameter_pruner;
const Entry<Pruner> l1_ranked_structure_parameter_pruner{
    "L1RankedStructureParameterPruner",
    "removes the structures (filters, channels, rows, blocks) of smallest mean magnitude",
    []() -> std::unique_ptr<Pruner> { return std::make_unique<RankedPruner>(RankedForm{.criterion = "magnitude"}); }};

}  // namespace compress::prune
