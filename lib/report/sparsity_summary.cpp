#include "analysis/cost.h"
#include "analysis/sparsity.h"
#include "report/sheet.h"
#include "report/summary.h"
#include "report/zero_effects.h"

#include <fmt/format.h>

namespace compress::report {

namespace {

SummaryForms make_sparsity(const SummaryRequest& request) {
  const auto& graph = request.graph;
  const auto rows = analysis::sparsity(graph);
  Sheet sheet({{"Name"},
               {.name = "Shape", .compared = Compared::by_people},
               {"NNZ (dense)"},
               {.name = "NNZ (sparse)", .compared = Compared::by_people},
               {"Cols (%)"},
               {"Rows (%)"},
               {"Ch (%)"},
               {"2D (%)"},
               {"3D (%)"},
               {.name = "Fine (%)", .compared = Compared::by_people},
               {"Std", 5},
               {"Mean", 5},
               {"Abs-Mean", 5}});
  int64_t dense = 0, nonzero = 0;
  for (const auto& row : rows) {
    sheet.row({row.name, shape_text(row.shape), row.dense, row.nonzero, row.columns, row.rows, row.channels,
               row.kernels, row.filters, row.elements, row.std, row.mean, row.abs_mean});
    dense += row.dense;
    nonzero += row.nonzero;
  }
  const double total = analysis::total_sparsity(rows);
  sheet.total({std::string("Total sparsity:"), std::string("-"), dense, nonzero, {}, {}, {}, {}, {}, total});
  const std::vector<Total> totals{{"total_sparsity", "Total sparsity", total}};
  return with_zero_effects(table_forms(std::move(sheet),
                                       {{"total_sparsity", "Total sparsity", total},
                                        {"total_dense", "Elements", dense},
                                        {"total_nonzero", "Elements that are not zero", nonzero}},
                                       totals_text(totals)),
                           zero_effects(graph, analysis::cost(graph)));
}

}  // namespace

extern const Summary sparsity_summary;
const Summary sparsity_summary{.name = "sparsity",
                               .doc = "how many elements, rows, kernels and filters of each weight are zero",
                               .files = {".txt", ".csv", ".json"},
                               .make = make_sparsity};

}  // namespace compress::report
