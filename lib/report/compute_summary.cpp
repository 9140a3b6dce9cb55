#include "analysis/cost.h"
#include "report/sheet.h"
#include "report/summary.h"

#include <functional>
#include <numeric>

namespace compress::report {

namespace {

int64_t volume(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

/// As Distiller writes it.
std::string kernel_text(const analysis::NodeCost& node) {
  if (node.kernel.empty()) return "";
  std::vector<std::string> sizes;
  for (const int64_t size : node.kernel) sizes.push_back(std::to_string(size));
  return "k=(" + join(sizes, ", ") + ")";
}

/// Distiller's columns, then ours; every node that has a weight or multiplies.
Sheet compute_sheet(const analysis::Cost& cost) {
  Sheet sheet({{"Name"},
               {"Type"},
               {"Attrs"},
               {"IFM"},
               {"IFM volume"},
               {"OFM"},
               {"OFM volume"},
               {"Weights volume"},
               {"MACs"},
               {"MACs (%)", 1},
               {"Weights bytes"}});
  for (const auto& node : cost.nodes) {
    if (!node.weighted && node.macs == 0) continue;
    const double share = cost.macs == 0 ? 0 : 100.0 * static_cast<double>(node.macs) / static_cast<double>(cost.macs);
    sheet.row({node.name, node.op, kernel_text(node), shape_text(node.input), volume(node.input),
               shape_text(node.output), volume(node.output), node.weights, node.macs, share, node.weight_bytes});
  }
  return sheet;
}

SummaryForms make_compute(const Graph& graph, std::optional<int>) {
  const auto cost = analysis::cost(graph);
  const auto sheet = compute_sheet(cost);
  return {.text = sheet.text() + fmt::format("Total MACs: {}\nTotal weights: {} ({} of them zero)\n"
                                             "Total parameters: {}, {} deployed\n",
                                             with_commas(cost.macs), with_commas(cost.weights),
                                             with_commas(cost.weights - cost.nonzero_weights),
                                             with_commas(cost.parameters), human_bytes(cost.stored_bytes)),
          .json = {{"rows", sheet.json()},
                   {"total_macs", cost.macs},
                   {"total_weights", cost.weights},
                   {"total_parameters", cost.parameters},
                   {"total_bytes", cost.stored_bytes}},
          .csv = sheet.csv()};
}

}  // namespace

extern const Summary compute_summary;
const Summary compute_summary{.name = "compute",
                              .doc = "multiply-accumulates, weights and sizes of each operator that computes",
                              .files = {".txt", ".csv", ".json"},
                              .make = make_compute};

}  // namespace compress::report
