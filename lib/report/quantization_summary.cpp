#include "analysis/accumulation.h"
#include "core/cpu.h"
#include "core/text.h"
#include "quant/quantizer.h"
#include "quant/report/quantizer_report.h"
#include "report/summary.h"
#include "train/kept_samples.h"

namespace compress::report {

namespace {

Sheet quantizer_sheet(const std::vector<quant::QuantizerReport>& reports) {
  Sheet sheet({{"Name"},
               {"Kind"},
               {.name = "Grid", .compared = Compared::by_people},
               {"Scales"},
               {"Low", 4},
               {"High", 4},
               {"Seen low", 4},
               {"Seen high", 4},
               {"Clipped (%)", 3},
               {.name = "SQNR (dB)", .digits = 1, .compared = Compared::by_people},
               {"Read by"}});
  for (const auto& report : reports) {
    std::vector<Cell> row{report.name, std::string(quant::role_word(report.role)), report.grid(), report.scales};
    row.resize(10);
    if (report.range) row[4] = report.range->low, row[5] = report.range->high;
    if (report.seen) {
      const auto seen = report.seen->extremes();
      row[6] = seen.low, row[7] = seen.high, row[8] = report.clipped_percent(), row[9] = report.error.sqnr();
    }
    row.emplace_back(report.readers);
    sheet.row(std::move(row));
  }
  return sheet;
}

Sheet accumulation_sheet(const std::vector<analysis::Accumulation>& layers) {
  Sheet sheet({{"Layer"},
               {"Weights"},
               {"Largest pair"},
               {"Outputs above 16 bits"},
               {"Outputs"},
               {"Largest sum"},
               {"Sum bits"},
               {"Accumulator bits"}});
  for (const auto& layer : layers)
    sheet.row({layer.layer, std::string(layer.signed_weights ? "signed" : "unsigned"), layer.pair,
               layer.adds_pairs ? Cell(layer.pair_channels) : Cell(), layer.channels, layer.sum, layer.sum_bits,
               layer.accumulator_bits});
  return sheet;
}

/// What the sums mean on this and on other processors.
std::string processor_text(const std::vector<analysis::Accumulation>& layers) {
  const auto cpu = this_cpu();
  int64_t pairs = 0;
  for (const auto& layer : layers) pairs += layer.pair_overflows();
  auto text = fmt::format("Processor: {}\n", cpu.str());
  if (pairs == 0) return text + "No layer can overflow the 16-bit sums of x86 without VNNI.\n";
  return text + fmt::format("{} layer(s) can overflow the 16-bit sums of x86 without VNNI; this processor {} them. "
                            "Exports guard them (--overflow-guard).\n",
                            pairs, cpu.saturates_pairs() ? "has" : "does not use");
}

std::string overflow_text(const std::vector<analysis::Accumulation>& layers) {
  std::string text;
  for (const auto& layer : layers)
    if (layer.sum_overflows())
      text += fmt::format("{}: its sums can need {} bits, its accumulator has {}.\n", layer.layer, layer.sum_bits,
                          layer.accumulator_bits);
  return text;
}

SummaryForms make_quantization(const SummaryRequest& request) {
  auto graph = request.graph.clone();
  quant::finish(graph);
  quant::QuantizerWatch watch(graph);
  if (request.samples)
    request.samples->each(graph, [&](const train::KeptSamples::Prepared& batch) { watch.add(batch.inputs); });
  const auto layers = analysis::accumulations(graph);
  auto sums = accumulation_sheet(layers);
  auto forms = table_forms(quantizer_sheet(watch.reports()), {});
  require_quantizers(forms.sheet.rows() > 0 || sums.rows() > 0);
  forms.json["accumulation"] = sums.json();
  forms.json["processor"] = this_cpu().str();
  if (forms.sheet.rows() == 0) {
    forms.text = "The model has no simulated quantisers.\n";
  } else if (!request.samples) {
    forms.text += "Activations are looked at with --data.\n";
  }
  if (sums.rows() > 0) forms.text += "\n" + sums.text() + overflow_text(layers) + processor_text(layers);
  return forms;
}

}  // namespace

extern const Summary quantization_summary;
const Summary quantization_summary{
    .name = "quantization",
    .doc = "each quantiser's grid, range and error (of activations with --data), and how large integer sums can become",
    .files = {".txt", ".csv", ".json"},
    .data = SummaryData::optional,
    .make = make_quantization};

}  // namespace compress::report
