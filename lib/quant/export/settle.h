#pragma once

#include "graph/graph.h"

namespace compress::quant {

/// Makes a FakeQuantize of any method one of method `fixed` that gives the same values to the bit: what it learned
/// becomes constant scale and zero point, and a weight that the method transforms is replaced by its values on the
/// grid. One whose method never settles (dynamic) stays as it is. Parameters that are read no more stay
/// (Graph::erase_unused_parameters).
void settle(Graph& graph, Node& quantizer, Changes& changes);

}  // namespace compress::quant
