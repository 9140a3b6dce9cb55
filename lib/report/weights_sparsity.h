#pragma once

#include "graph/graph.h"
#include "report/sheet.h"

namespace compress::report {

/// Distiller's weights_sparsity.csv: parameter, shape, volume, sparse volume (elements that are not zero), sparsity
/// level (percent of zeros). A row for each weight, as in the sparsity summary.
Sheet weights_sparsity(const Graph& graph);

}  // namespace compress::report
