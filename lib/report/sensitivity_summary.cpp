#include "quant/quantizer.h"
#include "quant/report/sensitivity.h"
#include "report/summary.h"
#include "train/kept_samples.h"

#include <cmath>

namespace compress::report {

namespace {

/// Empty where the task has no such metric.
Cell metric_cell(double metric) {
  return std::isnan(metric) ? Cell() : Cell(metric);
}

SummaryForms make_sensitivity(const SummaryRequest& request) {
  auto graph = request.graph.clone();
  quant::finish(graph);
  const auto result = quant::measure_sensitivity(graph, *request.samples);
  Sheet sheet({{"Name"},
               {"Type"},
               {.name = "Only: SQNR (dB)", .digits = 1, .compared = Compared::by_people},
               {"Only: " + result.metric},
               {.name = "Without: SQNR (dB)", .digits = 1, .compared = Compared::by_people},
               {"Without: " + result.metric},
               {"Quantizers"}});
  for (const auto& layer : result.layers)
    sheet.row({layer.layer, layer.op, layer.only.sqnr, metric_cell(layer.only.metric), layer.without.sqnr,
               metric_cell(layer.without.metric), layer.quantizers});
  std::vector<Total> totals{
      {"floating_point_" + result.metric, "Floating point, " + result.metric, metric_cell(result.floating_point)}};
  const auto add = [&](const std::string& key, const std::string& label, const quant::Effect& effect) {
    totals.push_back({key + "_sqnr", label + ", SQNR (dB)", effect.sqnr, 1});
    totals.push_back({key + "_" + result.metric, label + ", " + result.metric, metric_cell(effect.metric)});
  };
  add("all", "All quantised", result.all);
  add("weights", "Weights and biases only", result.weights);
  add("activations", "Activations only", result.activations);
  const auto text = totals_text(totals);
  return table_forms(std::move(sheet), std::move(totals), text);
}

}  // namespace

extern const Summary sensitivity_summary;
const Summary sensitivity_summary{
    .name = "sensitivity",
    .doc = "what one layer's quantisers cost alone, and what is gained without them (needs --data)",
    .files = {".txt", ".csv", ".json"},
    .data = SummaryData::required,
    .make = make_sensitivity};

}  // namespace compress::report
