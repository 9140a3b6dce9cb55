#include "analysis/sparsity.h"
#include "report/sheet.h"
#include "report/summary.h"

#include <fmt/format.h>

namespace compress::report {

namespace {

SummaryForms make_sparsity(const Graph& graph, std::optional<int>) {
  const auto rows = analysis::sparsity(graph);
  Sheet sheet({{"Name"},
               {"Shape"},
               {"NNZ (dense)"},
               {"NNZ (sparse)"},
               {"Cols (%)"},
               {"Rows (%)"},
               {"Ch (%)"},
               {"2D (%)"},
               {"3D (%)"},
               {"Fine (%)"},
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
  sheet.row({std::string("Total sparsity:"), std::string("-"), dense, nonzero, {}, {}, {}, {}, {}, total});
  return {.text = sheet.text() + fmt::format("Total sparsity: {:.2f}\n", total),
          .json = {{"rows", sheet.json()}, {"total_sparsity", total}},
          .csv = sheet.csv()};
}

}  // namespace

extern const Summary sparsity_summary;
const Summary sparsity_summary{.name = "sparsity",
                               .doc = "how many elements, rows, kernels and filters of each weight are zero",
                               .files = {".txt", ".csv", ".json"},
                               .make = make_sparsity};

}  // namespace compress::report
