#pragma once

#include "early_exit/exits.h"
#include "graph/graph.h"

#include <cstdint>
#include <vector>

namespace compress::early_exit {

/// Multiply-accumulates that one sample has cost when it leaves by each exit, the network's own output last: what that
/// exit and all before it need.
std::vector<int64_t> path_macs(const Graph& graph, const Exits& exits);

/// Puts the exits into the order of what each alone needs, so that the cheapest is asked first.
void order_by_cost(const Graph& graph, Exits& exits);

}  // namespace compress::early_exit
