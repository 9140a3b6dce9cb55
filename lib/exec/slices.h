#pragma once

#include "exec/plan.h"
#include "graph/graph.h"
#include "ops/op.h"

#include <functional>
#include <span>
#include <string_view>

namespace compress::exec {

/// How many samples to run at a time so that the values alive at once stay in the processor's cache; 0 (all at once)
/// when the graph is not known to treat every sample of the batch alone. `infos` are for a batch of 2.
int64_t
slice_size(const Graph& graph, const ops::Infos& infos, const std::function<bool(std::string_view)>& is_constant);

/// Runs `body` on slices of at most `slice` samples of near-equal size and joins what it returns; in one piece when
/// `slice` is 0.
Tensors run_in_slices(std::span<const at::Tensor> inputs,
                      int64_t slice,
                      const std::function<Tensors(std::span<const at::Tensor>)>& body);

}  // namespace compress::exec
