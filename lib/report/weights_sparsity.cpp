#include "report/weights_sparsity.h"

#include "analysis/sparsity.h"

namespace compress::report {

Sheet weights_sparsity(const Graph& graph) {
  Sheet sheet({{"parameter"}, {"shape"}, {"volume"}, {"sparse volume"}, {"sparsity level"}});
  for (const auto& row : analysis::sparsity(graph))
    sheet.row({row.name, shape_text(row.shape), row.dense, row.nonzero, row.elements});
  return sheet;
}

}  // namespace compress::report
