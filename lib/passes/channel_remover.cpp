#include "passes/remover.h"

namespace compress::passes {

extern const Entry<Pass> channel_remover;
const Entry<Pass> channel_remover{"ChannelRemover",
                                  "removes filters whose channels the next layer ignores (Distiller's name for thin)",
                                  [] { return make_remover(Removal::channels); }};

}  // namespace compress::passes
