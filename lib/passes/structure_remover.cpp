#include "passes/remover.h"

namespace compress::passes {

extern const Entry<Pass> structure_remover;
const Entry<Pass> structure_remover{
    "StructureRemover", "removes zero filters and ignored channels (Distiller's name for thin with batch_norm: drop)",
    [] { return make_remover(Removal::both); }};

}  // namespace compress::passes
