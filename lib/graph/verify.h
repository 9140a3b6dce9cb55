#pragma once

#include "graph/graph.h"

namespace compress {

/// Checks every law of a graph that needs no operator table: names unique, inputs produced before they are read,
/// outputs exist, masks have their parameter's shape. Throws a request error that names the node and the law.
/// (ops::verify adds arity, attributes, shapes.)
void verify_structure(const Graph& graph);

}  // namespace compress
