#pragma once

#include "graph/graph.h"

#include <string>
#include <vector>

namespace compress::passes {

/// Takes branches out of a network whose contribution to an addition is the same whatever the input: a zero goes
/// together with the addition, a number per channel stays as a parameter. Whatever nobody reads then goes, too. A
/// constant that differs from place to place stays, as do branches behind which everything is constant.
Changes remove_constant_branches(Graph& graph);

}  // namespace compress::passes
