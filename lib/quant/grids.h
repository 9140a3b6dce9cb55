#pragma once

#include "graph/graph.h"

#include <string>
#include <vector>

namespace compress::quant {

/// Values (or constants) that must share one scale and zero point, because operators between them only move numbers
/// (Concat, MaxPool, ...). Each is computed by something, and together they span the range; what is merely moved from
/// them needs no quantiser of its own before export.
struct SharedGrid {
  std::vector<std::string> values;
};

enum class OutputGrids { none, all };

/// Which values need a quantiser, grouped by the grid they share, in topological order. It follows from the operators'
/// roles (ops::Quantization) alone: inputs of weighted and arithmetic operators need one; what same_grid operators read
/// and write shares one; an activation melts into the computing node before it, so that their common quantiser stands
/// behind the activation; what only leaves the graph, or feeds operators that stay in floating point, needs none
/// (unless `outputs` is all). Throws a request error when the graph has quantisers already.
std::vector<SharedGrid> find_grids(const Graph& graph, OutputGrids outputs);

/// The node that makes a value, then the one whose activation it is, if that melts: under these names users find the
/// value in `overrides`.
std::vector<std::string> owners(const Graph& graph, const std::string& value);

/// Adds a problem when the graph has quantisers already.
void refuse_quantised(const Graph& graph, Problems& problems);

}  // namespace compress::quant
