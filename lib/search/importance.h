#pragma once

#include "analysis/coupled_channels.h"
#include "graph/graph.h"
#include "prune/criterion.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace compress::search {

/// How much each index of a weight's axis of outputs matters, [indices]; the weakest go first.
using Importance = std::function<at::Tensor(const Graph& graph, const analysis::ParameterAxis& maker)>;

/// What a criterion of pruning says of them, `seed` for those that draw.
Importance by_criterion(std::shared_ptr<const prune::Criterion> criterion, uint64_t seed);

}  // namespace compress::search
