#include "passes/remover.h"

namespace compress::passes {

extern const Entry<Pass> filter_remover;
const Entry<Pass> filter_remover{"FilterRemover",
                                 "removes filters that are zero (Distiller's name for thin with batch_norm: drop)",
                                 [] { return make_remover(Removal::filters); }};

}  // namespace compress::passes
