#include "analysis/cost.h"
#include "report/sheet.h"
#include "report/summary.h"
#include "report/zero_effects.h"

#include <cmath>
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
               {.name = "OFM", .compared = Compared::by_people},
               {"OFM volume"},
               {.name = "Weights volume", .compared = Compared::by_people},
               {.name = "MACs", .compared = Compared::by_people},
               {"MACs (%)", 1, Compared::no},
               {"Effective MACs"},
               {"Weights bytes"}});
  for (const auto& node : cost.nodes) {
    if (!node.weighted && node.macs == 0) continue;
    const double share = cost.macs == 0 ? 0 : 100.0 * static_cast<double>(node.macs) / static_cast<double>(cost.macs);
    sheet.row({node.name, node.op, kernel_text(node), shape_text(node.input), volume(node.input),
               shape_text(node.output), volume(node.output), node.weights, node.macs, share,
               std::llround(node.effective_macs), node.weight_bytes});
  }
  return sheet;
}

int64_t effective_macs(const analysis::Cost& cost) {
  return std::llround(cost.effective_macs);
}

SummaryForms make_compute(const SummaryRequest& request) {
  const auto& graph = request.graph;
  const auto cost = analysis::cost(graph);
  const auto zeros = zero_effects(graph, cost);
  auto text = fmt::format("Total MACs: {}\n", with_commas(cost.macs));
  if (zeros) text += fmt::format("Effective MACs: {}, if zeros took no time\n", with_commas(effective_macs(cost)));
  text += fmt::format("Total weights: {} ({} of them zero)\nTotal parameters: {}, {} deployed\n",
                      with_commas(cost.weights), with_commas(cost.weights - cost.nonzero_weights),
                      with_commas(cost.parameters), human_bytes(cost.stored_bytes));
  return with_zero_effects(table_forms(compute_sheet(cost),
                                       {{"total_macs", "Total MACs", cost.macs},
                                        {"effective_macs", "Effective MACs", effective_macs(cost)},
                                        {"total_weights", "Total weights", cost.weights},
                                        {"nonzero_weights", "Weights that are not zero", cost.nonzero_weights},
                                        {"total_parameters", "Total parameters", cost.parameters},
                                        {"total_bytes", "Bytes deployed", cost.stored_bytes}},
                                       text),
                           zeros);
}

}  // namespace

extern const Summary compute_summary;
const Summary compute_summary{.name = "compute",
                              .doc = "multiply-accumulates, weights and sizes of each operator that computes",
                              .files = {".txt", ".csv", ".json"},
                              .make = make_compute};

}  // namespace compress::report
