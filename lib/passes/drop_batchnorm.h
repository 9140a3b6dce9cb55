#pragma once

#include "graph/graph.h"

namespace compress::passes {

/// What Distiller's FilterRemover does on the way: a filter that is all zero also loses its bias and the gamma and beta
/// of the batch-norms that follow it (through activations and depthwise convolutions). This changes what the network
/// computes, unless they were zero. Returns how many filters it touched.
int64_t drop_batchnorm_of_zero_filters(Graph& graph);

}  // namespace compress::passes
