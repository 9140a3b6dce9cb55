#pragma once

#include "graph/graph.h"

namespace compress::passes {

/// From now on every batch-norm normalises with its running statistics, in training too, and does not move them; with
/// `affine` its gamma and beta do not learn either. Returns how many there are.
int64_t freeze_batch_norms(Graph& graph, bool affine);

}  // namespace compress::passes
